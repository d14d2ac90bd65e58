"""What people's scripts do with influxdb-python: client.py HOST PORT USER PASSWORD [tls]"""
import sys
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

host, port, user, password = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
tls = len(sys.argv) > 5
client = InfluxDBClient(host, port, user, password, "py", ssl=tls)
assert client.ping().startswith("1."), client.ping()
client.create_database("py")
assert {"name": "py"} in client.get_list_database()
client.create_retention_policy("week", "7d", "1", database="py", default=False)
assert [p["name"] for p in client.get_list_retention_policies("py")] == ["autogen", "week"]

points = [
    {"measurement": "cpu", "tags": {"host": "a b", "core": str(i % 2)}, "time": 1_600_000_000_000 + i * 1000,
     "fields": {"f": i / 3, "i": i, "b": i % 2 == 0, "s": 'say "%d"\\' % i}}
    for i in range(100)
]
assert client.write_points(points, time_precision="ms", batch_size=33)
rows = list(client.query("SELECT f, i, b, s FROM cpu", epoch="ms").get_points())
assert len(rows) == 100, len(rows)
for i, row in enumerate(rows):
    assert row == {"time": 1_600_000_000_000 + i * 1000, "f": i / 3, "i": i, "b": i % 2 == 0, "s": 'say "%d"\\' % i}, row

# With MessagePack, its default, this client cannot read chunks, InfluxDB's neither.
as_json = InfluxDBClient(host, port, user, password, "py", ssl=tls, headers={"Accept": "application/json"})
chunks = as_json.query("SELECT i FROM cpu", chunked=True, chunk_size=7)
assert sum(1 for chunk in chunks for _ in chunk.get_points()) == 100
grouped = client.query("SELECT mean(i), count(f) FROM cpu GROUP BY core")
assert {k[1]["core"]: list(v)[0]["count"] for k, v in grouped.items()} == {"0": 50, "1": 50}
bound = client.query("SELECT i FROM cpu WHERE i > $least AND core = $core", bind_params={"least": 90, "core": "1"})
assert [p["i"] for p in bound.get_points()] == [91, 93, 95, 97, 99]
assert [m["name"] for m in client.get_list_measurements()] == ["cpu"]
assert len(list(client.query("SHOW SERIES").get_points())) == 2

try:
    client.write_points([{"measurement": "cpu", "time": 1_600_000_000_000, "fields": {"f": "text"}}], time_precision="ms")
    raise SystemExit("a field of another type was taken")
except InfluxDBClientError as e:
    assert e.code == 400 and "field type conflict" in e.content, e
try:
    client.query("SELECT FROM")
    raise SystemExit("nonsense was taken")
except InfluxDBClientError as e:
    assert e.code == 400, e

client.query("DELETE FROM cpu WHERE core = '0'", method="POST")
assert len(list(client.query("SELECT i FROM cpu").get_points())) == 50
client.drop_database("py")
assert {"name": "py"} not in client.get_list_database()
print("influxdb-python: ok")
