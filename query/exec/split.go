package exec

import (
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec/stage"
	"github.com/varvedb/varve/query/memory"
)

// splitGroup makes the rows of a call of a subquery that carries tags: its
// stages run by themselves for each combination of the tags' values, and what
// they make comes in the order of the points. members and waiting are as of
// group.
func (g *grouper) splitGroup(key []string, members, waiting []*head) error {
	s := &split{
		grouper: g, stages: map[string][]stage.Stage{}, types: stageTypes(g), rows: g.budget.Account(),
		held: stage.Budget{Account: g.budget.Account()},
	}
	defer func() {
		s.rows.Close()
		s.held.Account.Close()
	}()
	w := g.series(key)
	rows := &groupRows{grouper: g, key: key, members: slices.Clone(members), waiting: waiting}
	for {
		times, columns, err := rows.next()
		if err != nil {
			return err
		}
		if len(times) == 0 {
			break
		}
		out, err := s.run(times, columns)
		if err != nil {
			return err
		}
		if err := w.write(out.Times, append([]model.Column{out.Value}, out.Aux...)); err != nil {
			return err
		}
	}
	return w.close()
}

// split is the stages of a call, by the values of the carried tags.
type split struct {
	*grouper
	stages map[string][]stage.Stage
	types  []model.FieldType // of the points behind each stage
	key    []byte            // of the last look-up
	rows   memory.Account    // of the map
	held   stage.Budget      // of the stages
}

func stageTypes(g *grouper) []model.FieldType {
	var types []model.FieldType
	for _, s := range g.b.Calls[0].Stages {
		types = append(types, s.Function.Result(s.Type))
	}
	return types
}

// splitBytes is what a combination takes beside its key and its stages' state.
const splitBytes = 200

// run takes rows through the stages of their tags. The first column is the
// call's field, and the others are the tags.
func (s *split) run(times []int64, columns []model.Column) (stage.Points, error) {
	tags := columns[1:]
	out := stage.NewPoints(s.types[len(s.types)-1], s.b.Slots[s.b.AuxFrom:]...)
	for lo := 0; lo < len(times); {
		hi := lo + 1
		for hi < len(times) && sameTexts(tags, lo, hi) {
			hi++
		}
		in := stage.Points{Times: times[lo:hi], Value: cut(&columns[0], lo, hi)}
		if in.OnlyValues(); len(in.Times) > 0 {
			before := len(out.Times)
			if err := s.through(tags, lo, &in, &out); err != nil {
				return stage.Points{}, err
			}
			for range len(out.Times) - before {
				for i := range tags {
					out.Aux[i].AppendRow(&tags[i], lo)
				}
			}
		}
		lo = hi
	}
	return out, s.ctx.Err()
}

// through takes points through the stages of the tags of a row, into out.
func (s *split) through(tags []model.Column, row int, in, out *stage.Points) error {
	s.key = s.key[:0]
	for i := range tags {
		s.key = append(append(s.key, tags[i].Bytes(row)...), 0)
	}
	stages, ok := s.stages[string(s.key)]
	if !ok {
		if err := s.rows.Add(splitBytes + len(s.key)); err != nil {
			return err
		}
		call := &s.b.Calls[0]
		for i := range call.Stages {
			made, err := stage.New(s.ctx, s.b, call, &call.Stages[i], &s.held, s.apart)
			if err != nil {
				return err
			}
			stages = append(stages, made)
		}
		s.stages[string(s.key)] = stages
	}
	last := len(stages) - 1
	for i, st := range stages[:last] {
		next := stage.NewPoints(s.types[i])
		if err := st.Add(in, &next); err != nil {
			return err
		}
		in = &next
	}
	return stages[last].Add(in, out)
}

// sameTexts reports whether two rows have the same texts.
func sameTexts(columns []model.Column, i, j int) bool {
	for k := range columns {
		c := &columns[k]
		if c.Has(i) != c.Has(j) || string(c.Bytes(i)) != string(c.Bytes(j)) {
			return false
		}
	}
	return true
}
