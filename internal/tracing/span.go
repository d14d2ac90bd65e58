package tracing

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// ParentKey is under which name a call carries Parent.
const ParentKey = "traceparent"

// Span is a piece of work in a trace. A nil Span is none, and all its methods do
// nothing.
type Span struct{ span trace.Span }

// Start begins a span of the trace that ctx has. Where it has none the Span is
// nil, and ctx comes back as it is.
func Start(ctx context.Context, name string) (context.Context, *Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, nil
	}
	ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, name)
	return ctx, &Span{span}
}

// Parent names the span of ctx for a call to another node, "" where it has none.
func Parent(ctx context.Context) string {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ""
	}
	text := propagation.MapCarrier{}
	carrier.Inject(ctx, text)
	return text[ParentKey]
}

// Int notes a number.
func (s *Span) Int(name string, n int) {
	if s != nil {
		s.span.SetAttributes(attribute.Int(name, n))
	}
}

// Text notes a text, which has no secrets. text is called only where there is a
// span.
func (s *Span) Text(name string, text func() string) {
	if s != nil {
		s.span.SetAttributes(attribute.String(name, text()))
	}
}

// End ends the span. Of an error it is told that there was one and of what type:
// its text may say more than a trace should.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, fmt.Sprintf("%T", err))
	}
	s.span.End()
}
