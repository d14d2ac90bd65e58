// Both clients of npm against one server: node client.js URL USER PASSWORD
const assert = require('node:assert')
const Influx = require('influx')
const { InfluxDB, Point, HttpError } = require('@influxdata/influxdb-client')

const [url, username, password] = process.argv.slice(2)
const { hostname, port, protocol } = new URL(url)

async function version1() {
  const influx = new Influx.InfluxDB({
    host: hostname, port: Number(port), protocol: protocol.slice(0, -1), username, password, database: 'npm',
    schema: [{ measurement: 'cpu', fields: { usage: Influx.FieldType.FLOAT, n: Influx.FieldType.INTEGER, s: Influx.FieldType.STRING, b: Influx.FieldType.BOOLEAN }, tags: ['host'] }],
  })
  const [ping] = await influx.ping(5000)
  assert.ok(ping.online && ping.version.startsWith('1.'), ping.version)
  await influx.createDatabase('npm')
  assert.ok((await influx.getDatabaseNames()).includes('npm'))
  await influx.createRetentionPolicy('week', { database: 'npm', duration: '7d', replication: 1 })
  assert.deepStrictEqual((await influx.showRetentionPolicies('npm')).map((p) => p.name), ['autogen', 'week'])
  await influx.writePoints([
    { measurement: 'cpu', tags: { host: 'a b' }, fields: { usage: 1.5, n: 7, s: 'x, "y"', b: true }, timestamp: new Date(1000) },
    { measurement: 'cpu', tags: { host: 'c' }, fields: { usage: 2.5 }, timestamp: new Date(2000) },
  ], { precision: 'ms' })
  const rows = await influx.query('SELECT * FROM cpu WHERE time <= 2s')
  assert.strictEqual(rows.length, 2)
  assert.deepStrictEqual([rows[0].host, rows[0].usage, rows[0].n, rows[0].s, rows[0].b, rows[0].time.getTime()], ['a b', 1.5, 7, 'x, "y"', true, 1000])
  const groups = await influx.query('SELECT mean(usage) FROM cpu GROUP BY host')
  assert.deepStrictEqual(groups.groups().map((g) => [g.tags.host, g.rows[0].mean]), [['a b', 1.5], ['c', 2.5]])
  const bound = await influx.query('SELECT usage FROM cpu WHERE host = $h', { placeholders: { h: 'c' } })
  assert.strictEqual(bound[0].usage, 2.5)
  assert.deepStrictEqual(await influx.getMeasurements(), ['cpu'])
  assert.strictEqual((await influx.getSeries()).length, 2)
  await influx.createUser('npmuser', 'secret')
  await influx.grantPrivilege('npmuser', 'READ', 'npm')
  assert.ok((await influx.getUsers()).some((u) => u.user === 'npmuser' && !u.admin))
  await influx.dropUser('npmuser')
  await assert.rejects(influx.query('SELECT FROM'), /error parsing query/)
  await influx.dropMeasurement('cpu')
  assert.strictEqual((await influx.query('SELECT * FROM cpu')).length, 0)
}

async function version2() {
  const client = new InfluxDB({ url, token: `${username}:${password}` })
  const write = client.getWriteApi('', 'npm/autogen', 'ms', { maxRetries: 0 })
  write.useDefaultTags({ by: 'v2' })
  write.writePoint(new Point('mem').tag('host', 'a').floatField('used', 0.5).intField('free', 3).stringField('s', 'ü').timestamp(new Date(3000)))
  await write.close()
  const influx = new Influx.InfluxDB({ host: hostname, port: Number(port), protocol: protocol.slice(0, -1), username, password, database: 'npm' })
  const [row] = await influx.query('SELECT * FROM mem')
  assert.deepStrictEqual([row.by, row.host, row.used, row.free, row.s, row.time.getTime()], ['v2', 'a', 0.5, 3, 'ü', 3000])
  await assert.rejects(client.getQueryApi('').collectRows('from(bucket:"npm")'), (e) => e instanceof HttpError && e.statusCode === 403 && /Flux query service disabled/.test(e.message + e.body))
  const refused = new InfluxDB({ url, token: `${username}:wrong` }).getWriteApi('', 'npm/autogen', 'ms', { maxRetries: 0, writeFailed: () => Promise.resolve() })
  refused.writePoint(new Point('mem').floatField('used', 1))
  await refused.close()
  assert.strictEqual((await influx.query('SELECT * FROM mem')).length, 1)
}

version1().then(version2).then(() => console.log('influx 5.12.0, influxdb-client 1.35.0: ok'), (e) => { console.error(e); process.exit(1) })
