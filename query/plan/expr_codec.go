package plan

import (
	"regexp"

	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

const (
	// maxExprDepth bounds what DecodeFragment follows: a statement nests 128
	// parentheses, within which sums may be as long as a statement has words.
	maxExprDepth = 60_000
	// exprBytes is what an Expr takes.
	exprBytes = 120
)

// appendExpr adds e. The types of results are not part of it, but follow from
// the parts again.
func appendExpr(dst []byte, e *Expr) []byte {
	dst = append(dst, byte(e.Kind))
	switch e.Kind {
	case Input:
		dst = wire.AppendUvarint(dst, uint64(e.Column))
	case Literal:
		dst = append(dst, byte(e.Type))
		if e.Type == model.String {
			return wire.AppendString(dst, e.Text)
		}
		dst = wire.AppendUint64(dst, e.Bits)
	case Binary:
		dst = appendExpr(append(dst, byte(e.Op)), e.Left)
		dst = appendExpr(dst, e.Right)
	case Call:
		dst = appendExpr(wire.AppendString(dst, e.Scalar.Name), e.Left)
		if e.Scalar.Args == 2 {
			dst = appendExpr(dst, e.Right)
		}
	case Match:
		dst = wire.AppendBool(dst, e.Negate)
		dst = appendExpr(wire.AppendString(dst, e.Regexp.String()), e.Left)
	case Series:
		dst = model.AppendPredicate(dst, e.Where)
	}
	return dst
}

// exprDecoder reads expressions over inputs.
type exprDecoder struct {
	*wire.Reader
	inputs []Source
}

// expr reads an expression; after a fault it gives null.
func (d *exprDecoder) expr(depth int) *Expr {
	if depth > maxExprDepth {
		d.Fail("expression nested too deep")
	}
	if !d.Spend(1, exprBytes) {
		return null
	}
	e := d.part(Kind(d.Byte()), depth+1)
	if d.Err() != nil {
		return null
	}
	return e
}

func (d *exprDecoder) part(kind Kind, depth int) *Expr {
	switch kind {
	case Null:
		return null
	case Input:
		column := d.Index(len(d.inputs))
		if d.Err() == nil {
			return &Expr{Kind: Input, Type: d.inputs[column].Type, Column: column}
		}
	case Literal:
		return d.literal()
	case Binary:
		return d.binary(depth)
	case Call:
		return d.call(depth)
	case Match:
		negate, text := d.Bool(), d.String()
		left := d.expr(depth)
		re, err := regexp.Compile(text)
		if err != nil || left.Type != model.String {
			d.Fail("match of %s", left.Type)
		}
		return &Expr{Kind: Match, Type: model.Boolean, Left: left, Regexp: re, Negate: negate}
	case Series:
		where, rest, err := model.DecodePredicate(d.Rest())
		d.Skip(rest, err)
		return &Expr{Kind: Series, Type: model.Boolean, Where: where}
	default:
		d.Fail("expression of kind %d", kind)
	}
	return null
}

func (d *exprDecoder) literal() *Expr {
	e := &Expr{Kind: Literal, Type: decodeType(d.Reader)}
	if e.Type == model.String {
		e.Text = d.String()
		return e
	}
	if e.Bits = d.Uint64(); e.Type == model.Boolean && e.Bits > 1 {
		d.Fail("boolean of %d", e.Bits)
	}
	return e
}

func (d *exprDecoder) binary(depth int) *Expr {
	op := Op(d.Byte())
	if op < Add || op > Or {
		d.Fail("operator %d", op)
	}
	left := d.expr(depth)
	e := binary(op, left, d.expr(depth))
	// What can have no value is not sent as an operation.
	if d.Err() == nil && e.Kind != Binary {
		d.Fail("operator %d of what it does not take", op)
	}
	return e
}

func (d *exprDecoder) call(depth int) *Expr {
	name := d.String()
	s := function.LookupScalar(name)
	if s == nil {
		d.Fail("function %q", name)
		return null
	}
	e := &Expr{Kind: Call, Scalar: s, Left: d.expr(depth)}
	number := isNumber(e.Left.Type)
	e.Type = s.Result(e.Left.Type)
	if s.Args == 2 {
		e.Right = d.expr(depth)
		number = number && isNumber(e.Right.Type)
	}
	if !number {
		d.Fail("%s() of what is no number", name)
	}
	return e
}
