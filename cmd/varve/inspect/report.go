package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
	"github.com/varvedb/varve/tsm/block"
	"github.com/varvedb/varve/tsm/segment"
)

var reportCommand = &command{
	name: "report", arguments: "[-data-dir DIR] [--shards] [--top N] [--json] [SHARD | DIR…]",
	help: "say what takes how much room: databases, measurements, fields, codecs\n" +
		"Rows are those in segment files, overwritten and deleted ones among them; what is only in the log counts as log.\n" +
		"A series counts once in each shard. The exit code is 1 when a file could not be read.",
	setup: func(s *session) func(context.Context) error {
		r := &reporter{session: s, sums: map[string]*sums{}, codecs: map[codecKey]*usage{}}
		s.flags.BoolVar(&r.shards, "shards", false, "show each shard")
		s.flags.IntVar(&r.top, "top", 20, "show so many measurements and fields, the largest; 0 is all")
		s.flags.BoolVar(&r.json, "json", false, "print JSON")
		return r.run
	},
}

// usage is what something takes.
type usage struct {
	Rows   int64 `json:"rows,omitempty"`
	Values int64 `json:"values"`
	Bytes  int64 `json:"bytes"`
	Blocks int64 `json:"blocks,omitempty"`
}

func (u *usage) add(o usage) {
	u.Rows, u.Values, u.Bytes, u.Blocks = u.Rows+o.Rows, u.Values+o.Values, u.Bytes+o.Bytes, u.Blocks+o.Blocks
}

// sums is what a shard, or all shards of a policy, takes.
type sums struct {
	Name    string `json:"name"`
	Shards  int    `json:"shards"`
	Files   int    `json:"files"`
	Series  int    `json:"series"`
	Index   int64  `json:"index_bytes"`
	Log     int64  `json:"log_bytes"`
	Data    usage  `json:"data"`
	damaged []string

	measurements map[string]*measured
}

// measured is what a measurement takes.
type measured struct {
	Name   string `json:"name"`
	Series int    `json:"series"`
	Data   usage  `json:"data"`
	// Times is the bytes of times, versions and directories, which all fields share.
	Times int64 `json:"times_bytes"`

	fields map[model.Field]*fielded
}

// fielded is what a field takes.
type fielded struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Data usage  `json:"data"`

	codecs map[string]*usage
}

type codecKey struct {
	typ   model.FieldType
	codec string
}

// reporter is a run of report.
type reporter struct {
	*session
	shards, json bool
	top          int

	sums   map[string]*sums // by policy
	codecs map[codecKey]*usage
}

func (r *reporter) run(ctx context.Context) error {
	p, err := r.find(r.args)
	if err != nil {
		return err
	}
	var each []*sums
	for _, sh := range p.shards {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := r.shard(sh)
		if errors.Is(err, fs.ErrNotExist) && p.live {
			continue // dropped meanwhile
		}
		if err != nil {
			s.damaged = append(s.damaged, err.Error())
		}
		each = append(each, s)
		r.addTo(sh, s)
	}
	damaged := false
	for _, s := range each {
		for _, text := range s.damaged {
			damaged = true
			fmt.Fprintf(r.errs, "%s: %s\n", s.Name, text)
		}
	}
	if r.json {
		err = r.printAll(each)
	} else {
		err = r.print(each)
	}
	if err == nil && damaged {
		err = errDamage
	}
	return err
}

// shard adds up one shard. What could be read counts also with an error.
func (r *reporter) shard(sh *shard) (*sums, error) {
	s := &sums{Name: sh.name(), Shards: 1, measurements: map[string]*measured{}}
	s.Log = below(r.fs, tsm.LogDir(sh.Dir))
	view, err := tsm.View(r.fs, sh.Dir, false)
	if err != nil {
		return s, err
	}
	i := view.Info()
	reader, err := view.Reader()
	if err != nil {
		return s, errors.Join(err, view.Close())
	}
	s.Series, s.Index = i.Series, i.DiskBytes-i.LogBytes
	for _, f := range reader.Files() {
		s.Index -= f.Bytes
		s.Files++
		err := f.Err
		if err == nil {
			err = r.file(s, f.Segments)
		}
		if err != nil {
			s.damaged = append(s.damaged, fmt.Sprintf("%s: %v", f.Name, err))
		}
	}
	for _, m := range s.measurements {
		series, err := reader.Series(m.Name, nil)
		if err == nil {
			m.Series = len(series)
		}
	}
	return s, errors.Join(reader.Close(), view.Close())
}

func (r *reporter) file(s *sums, file *segment.Reader) error {
	framed := file.Meta().Size
	for seg := range file.Segments() {
		m := s.measurements[seg.Measurement]
		if m == nil {
			m = &measured{Name: seg.Measurement, fields: map[model.Field]*fielded{}}
			s.measurements[seg.Measurement] = m
		}
		framed -= seg.Bytes
		m.Data.add(usage{Rows: int64(seg.Rows), Bytes: seg.Bytes})
		s.Data.add(usage{Rows: int64(seg.Rows), Bytes: seg.Bytes})
		for i := range seg.Parts {
			p := &seg.Parts[i]
			if p.Field.Name == "" {
				m.Times += int64(p.Bytes)
				continue
			}
			m.field(p.Field).Data.Bytes += int64(p.Bytes)
		}
		for i, field := range seg.Fields {
			f := m.field(field)
			err := file.Blocks(&seg, i, func(d block.Description, bytes int) {
				u := usage{Values: int64(d.Values), Bytes: int64(bytes), Blocks: 1}
				for _, to := range [...]*usage{f.codec(d.Codec), r.codec(codecKey{field.Type, d.Codec})} {
					to.add(u)
				}
				u.Bytes = 0 // counted above, with tables
				for _, to := range [...]*usage{&f.Data, &m.Data, &s.Data} {
					to.add(u)
				}
			})
			if err != nil {
				return err
			}
		}
	}
	s.Data.Bytes += framed // header and footer
	return nil
}

func (m *measured) field(f model.Field) *fielded {
	x := m.fields[f]
	if x == nil {
		x = &fielded{Name: f.Name, Type: f.Type.String(), codecs: map[string]*usage{}}
		m.fields[f] = x
	}
	return x
}

func (f *fielded) codec(name string) *usage {
	if f.codecs[name] == nil {
		f.codecs[name] = &usage{}
	}
	return f.codecs[name]
}

func (r *reporter) codec(k codecKey) *usage {
	if r.codecs[k] == nil {
		r.codecs[k] = &usage{}
	}
	return r.codecs[k]
}

// addTo adds a shard to its policy.
func (r *reporter) addTo(sh *shard, s *sums) {
	name := "(unknown)"
	if sh.Database != "" {
		name = sh.Database + "." + sh.Policy
	}
	all := r.sums[name]
	if all == nil {
		all = &sums{Name: name, measurements: map[string]*measured{}}
		r.sums[name] = all
	}
	all.Shards++
	all.Files += s.Files
	all.Series += s.Series
	all.Index += s.Index
	all.Log += s.Log
	all.Data.add(s.Data)
	for _, m := range s.measurements {
		to := all.measurements[m.Name]
		if to == nil {
			to = &measured{Name: m.Name, fields: map[model.Field]*fielded{}}
			all.measurements[m.Name] = to
		}
		to.Series += m.Series
		to.Times += m.Times
		to.Data.add(m.Data)
		for field, f := range m.fields {
			x := to.field(field)
			x.Data.add(f.Data)
			for codec, u := range f.codecs {
				x.codec(codec).add(*u)
			}
		}
	}
}

// below adds up the files of a directory; what cannot be read is nothing.
func below(fsys interface {
	List(string) ([]string, error)
	Size(string) (int64, error)
}, dir string,
) (sum int64) {
	names, _ := fsys.List(dir)
	for _, name := range names {
		if n, err := fsys.Size(path.Join(dir, name)); err == nil {
			sum += n
		}
	}
	return sum
}

// bySize gives the values of a map, the largest first, and of equals by name.
func bySize[K comparable, V any](all map[K]V, size func(V) int64, name func(V) string) []V {
	return slices.SortedFunc(maps.Values(all), func(a, b V) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(name(a), name(b)))
	})
}

// fieldOf is a field, its measurement and its policy.
type fieldOf struct {
	Policy      string `json:"policy"`
	Measurement string `json:"measurement"`
	*fielded
}

type measuredOf struct {
	Policy string `json:"policy"`
	*measured
}

// tables is the report in order.
type tables struct {
	policies     []*sums
	measurements []measuredOf
	fields       []fieldOf
}

func (r *reporter) tables() tables {
	var t tables
	t.policies = bySize(r.sums, func(s *sums) int64 { return s.Data.Bytes }, func(s *sums) string { return s.Name })
	for _, s := range t.policies {
		for _, m := range s.measurements {
			t.measurements = append(t.measurements, measuredOf{s.Name, m})
			for _, f := range m.fields {
				t.fields = append(t.fields, fieldOf{s.Name, m.Name, f})
			}
		}
	}
	slices.SortFunc(t.measurements, func(a, b measuredOf) int {
		return cmp.Or(cmp.Compare(b.Data.Bytes, a.Data.Bytes), cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(t.fields, func(a, b fieldOf) int {
		return cmp.Or(cmp.Compare(b.Data.Bytes, a.Data.Bytes), cmp.Compare(a.Policy, b.Policy),
			cmp.Compare(a.Measurement, b.Measurement), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return t
}

func (r *reporter) print(each []*sums) error {
	t := r.tables()
	total := &sums{Name: "total"}
	for _, s := range t.policies {
		total.Shards, total.Files, total.Series = total.Shards+s.Shards, total.Files+s.Files, total.Series+s.Series
		total.Index, total.Log = total.Index+s.Index, total.Log+s.Log
		total.Data.add(s.Data)
	}
	var list []table
	if r.shards {
		list = append(list, sumsTable("shard", each))
	}
	list = append(list, sumsTable("policy", append(t.policies, total)),
		r.measurementTable(t.measurements, total.Data.Bytes), r.fieldTable(t.fields, total.Data.Bytes), r.codecTable(total.Data.Bytes))
	for i := range list {
		if i > 0 {
			fmt.Fprintln(r.out)
		}
		if err := list[i].print(r.out); err != nil {
			return err
		}
	}
	return nil
}

func sumsTable(title string, all []*sums) (t table) {
	t.add(title, "shards", "files", "series", "rows", "values", "data", "bytes/value", "index", "log")
	for _, s := range all {
		t.add(s.Name, s.Shards, s.Files, s.Series, s.Data.Rows, s.Data.Values,
			size(s.Data.Bytes), perValue(s.Data.Bytes, s.Data.Values), size(s.Index), size(s.Log))
	}
	return t
}

func (r *reporter) measurementTable(all []measuredOf, total int64) (t table) {
	t.add("measurement", "series", "rows", "values", "data", "bytes/value", "share", "times")
	for _, m := range all[:r.most(len(all))] {
		t.add(m.Policy+"."+m.Name, m.Series, m.Data.Rows, m.Data.Values,
			size(m.Data.Bytes), perValue(m.Data.Bytes, m.Data.Values), share(m.Data.Bytes, total), size(m.Times))
	}
	r.rest(&t, len(all))
	return t
}

func (r *reporter) fieldTable(all []fieldOf, total int64) (t table) {
	t.add("field", "type", "values", "data", "bytes/value", "share", " codecs: values")
	for _, f := range all[:r.most(len(all))] {
		var codecs []string
		for _, c := range slices.Sorted(maps.Keys(f.codecs)) {
			codecs = append(codecs, fmt.Sprintf("%s: %s", c, share(f.codecs[c].Values, f.Data.Values)))
		}
		t.add(f.Policy+"."+f.Measurement+"."+f.Name, f.Type, f.Data.Values,
			size(f.Data.Bytes), perValue(f.Data.Bytes, f.Data.Values), share(f.Data.Bytes, total), strings.Join(codecs, "; "))
	}
	r.rest(&t, len(all))
	return t
}

func (r *reporter) codecTable(total int64) (t table) {
	t.add("codec", "blocks", "values", "data", "bytes/value", "share")
	for _, k := range r.codecKeys() {
		u := r.codecs[k]
		t.add(k.typ.String()+": "+k.codec, u.Blocks, u.Values, size(u.Bytes), perValue(u.Bytes, u.Values), share(u.Bytes, total))
	}
	return t
}

func (r *reporter) codecKeys() []codecKey {
	return slices.SortedFunc(maps.Keys(r.codecs), func(a, b codecKey) int {
		return cmp.Or(cmp.Compare(r.codecs[b].Bytes, r.codecs[a].Bytes), cmp.Compare(a.typ, b.typ), cmp.Compare(a.codec, b.codec))
	})
}

// most gives how many of n lines are shown.
func (r *reporter) most(n int) int {
	if r.top <= 0 {
		return n
	}
	return min(n, r.top)
}

// rest tells of lines that are not shown.
func (r *reporter) rest(t *table, n int) {
	if shown := r.most(n); shown < n {
		t.add(fmt.Sprintf("and %d more (--top)", n-shown))
	}
}

func share(part, whole int64) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// printAll writes the report for scripts.
func (r *reporter) printAll(each []*sums) error {
	type codec struct {
		Type  string `json:"type"`
		Codec string `json:"codec"`
		usage
	}
	t := r.tables()
	codecs := []codec{}
	for _, k := range r.codecKeys() {
		codecs = append(codecs, codec{k.typ.String(), k.codec, *r.codecs[k]})
	}
	return r.printJSON(map[string]any{
		"shards": each, "policies": t.policies, "codecs": codecs,
		"measurements": t.measurements[:r.most(len(t.measurements))],
		"fields":       t.fields[:r.most(len(t.fields))],
	})
}
