package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

const (
	scope = "github.com/varvedb/varve"
	// queueSpans is how many spans wait at most.
	queueSpans = 4096
	// exportTimeout bounds one send to the collector, and closeTimeout the last.
	exportTimeout = 10 * time.Second
	closeTimeout  = 2 * time.Second
)

// Tracer begins traces, and continues those of other nodes. A nil Tracer does
// neither.
type Tracer struct{ provider *trace.TracerProvider }

// carrier is the text form of what names a trace, W3C's traceparent.
var carrier propagation.TraceContext

// Open gives a Tracer that sends to the collector of cfg, nil where there is none.
// The collector need not be there. node and version name this process.
func Open(ctx context.Context, cfg Config, node, version string, log *slog.Logger) (*Tracer, error) {
	if err := cfg.Validate(); err != nil || cfg.Endpoint == "" {
		return nil, err
	}
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(cfg.Endpoint), otlptracegrpc.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("open tracing: %w", err)
	}
	// The library says what it could not send through a function of the process,
	// and prints it otherwise: for as long as the collector is away.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Debug("traces were not sent", "error", err) }))
	return &Tracer{trace.NewTracerProvider(
		trace.WithBatcher(exporter, trace.WithMaxQueueSize(queueSpans), trace.WithExportTimeout(exportTimeout)),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(cfg.Ratio))),
		trace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "varve"), attribute.String("service.instance.id", node), attribute.String("service.version", version),
		)),
	)}, nil
}

// Close sends what waits, if the collector takes it soon.
func (t *Tracer) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // what is lost is a trace
	return nil
}

// Request begins the span of a request that comes in, as part of the trace that
// its header names, or of a new one.
func (t *Tracer) Request(ctx context.Context, h http.Header, name string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	return t.begin(carrier.Extract(ctx, propagation.HeaderCarrier(h)), name)
}

// Call begins the span of a call from another node, as part of the trace that it
// names by Parent; without one there is none.
func (t *Tracer) Call(ctx context.Context, parent, name string) (context.Context, *Span) {
	if t == nil || parent == "" {
		return ctx, nil
	}
	return t.begin(carrier.Extract(ctx, propagation.MapCarrier{ParentKey: parent}), name)
}

func (t *Tracer) begin(ctx context.Context, name string) (context.Context, *Span) {
	ctx, span := t.provider.Tracer(scope).Start(ctx, name)
	if !span.IsRecording() {
		return ctx, nil
	}
	return ctx, &Span{span}
}
