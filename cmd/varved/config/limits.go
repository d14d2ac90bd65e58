package config

// limits is the rows of what bounds clients on HTTP, and what one write may hold.
var limits = []setting{
	{"http-max-body-size", "SIZE", "25000000", "a request's body on the wire; unpacked it may be ten times that; 0 is as much as there is memory for bodies", func(c *Config, v string) (err error) {
		c.HTTP.MaxBodyBytes, err = parseSize(v)
		return err
	}},
	{"http-max-connection-limit", "N", "8192", "connections that are open at a time; 0 is no limit", func(c *Config, v string) error {
		return setCount(&c.HTTP.MaxConnections, v)
	}},
	{"http-max-connection-limit-per-address", "N", "4096", "connections from one address, of IPv6 from one /64; 0 is no limit", func(c *Config, v string) error {
		return setCount(&c.HTTP.MaxConnectionsOfOne, v)
	}},
	{"http-max-concurrent-write-limit", "N", "4096", "writes that are parsed and stored at a time; 0 is no limit but that of their bytes", func(c *Config, v string) error {
		return setCount(&c.HTTP.ConcurrentWrites, v)
	}},
	{"http-max-enqueued-write-limit", "N", "4096", "writes that may wait for those to end; the next is answered by 503", func(c *Config, v string) error {
		return setCount(&c.HTTP.EnqueuedWrites, v)
	}},
	{"http-enqueued-write-timeout", "TIME", "30s", "how long a write waits for those to end, before it is answered by 503", func(c *Config, v string) (err error) {
		c.HTTP.EnqueuedTimeout, err = parseTime(v)
		return err
	}},
	{"max-points-per-request", "N", "1000000", "lines of one write; one with more is refused as a whole", func(c *Config, v string) error {
		return setLeast1(&c.Lines.MaxPoints, v)
	}},
	{"max-fields-per-point", "N", "4096", "fields of a point; one with more is dropped", func(c *Config, v string) error {
		return setLeast1(&c.Lines.MaxFields, v)
	}},
	{"max-tags-per-point", "N", "256", "tags of a point; one with more is dropped", func(c *Config, v string) error {
		return setLeast1(&c.Lines.MaxTags, v)
	}},
}
