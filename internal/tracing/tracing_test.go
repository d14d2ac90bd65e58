package tracing_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"github.com/varvedb/varve/internal/tracing"
)

// sink is a collector.
type sink struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*trace.Span
}

func (s *sink) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range r.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			s.spans = append(s.spans, scope.Spans...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// collect gives a collector and where it is.
func collect(t *testing.T) (*sink, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	out := &sink{}
	collector.RegisterTraceServiceServer(s, out)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return out, "http://" + l.Addr().String()
}

func TestATraceGoesOnOnAnotherNode(t *testing.T) {
	to, endpoint := collect(t)
	open := func() *tracing.Tracer {
		tracer, err := tracing.Open(t.Context(), tracing.Config{Endpoint: endpoint, Ratio: 1}, "a", "1", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return tracer
	}
	here, there := open(), open()
	ctx, request := here.Request(t.Context(), http.Header{}, "POST /write")
	ctx, call := tracing.Start(ctx, "call")
	_, answer := there.Call(context.Background(), tracing.Parent(ctx), "answer")
	answer.Int("shard", 7)
	answer.End(errors.New("secret"))
	call.End(nil)
	request.Text("request.id", func() string { return "r" })
	request.End(nil)
	for _, tracer := range []*tracing.Tracer{here, there} {
		if err := tracer.Close(); err != nil {
			t.Error(err)
		}
	}
	byName := map[string]*trace.Span{}
	for _, s := range to.spans {
		byName[s.Name] = s
		if strings.Contains(s.String(), "secret") {
			t.Errorf("the text of an error is in %s", s)
		}
	}
	if len(byName) != 3 {
		t.Fatalf("spans %v", byName)
	}
	root := byName["POST /write"]
	for child, parent := range map[string]string{"call": "POST /write", "answer": "call"} {
		if c, p := byName[child], byName[parent]; string(c.ParentSpanId) != string(p.SpanId) || string(c.TraceId) != string(root.TraceId) {
			t.Errorf("%s is not below %s", child, parent)
		}
	}
}

func TestWithoutATracerNothingIsTraced(t *testing.T) {
	tracer, err := tracing.Open(t.Context(), tracing.DefaultConfig(), "a", "1", slog.New(slog.DiscardHandler))
	if err != nil || tracer != nil {
		t.Fatalf("no endpoint gave %v, %v", tracer, err)
	}
	ctx, span := tracer.Request(t.Context(), http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}, "x")
	if _, inner := tracing.Start(ctx, "y"); span != nil || inner != nil || ctx != t.Context() || tracing.Parent(ctx) != "" {
		t.Error("there is a span")
	}
	span.Text("text", func() string { t.Error("a text was made for no span"); return "" })
	span.End(nil)
	if n := testing.AllocsPerRun(100, func() {
		_, s := tracing.Start(ctx, "y")
		s.Int("n", 1)
		s.End(nil)
	}); n != 0 {
		t.Errorf("%v allocations without a tracer", n)
	}
	if err := tracer.Close(); err != nil {
		t.Error(err)
	}
}

func TestEndpointsThatCannotBe(t *testing.T) {
	for _, endpoint := range []string{"host:4317", "ftp://h:1", "http://", "http://u:p@h:1", "http://h:1/v1/traces"} {
		if err := (tracing.Config{Endpoint: endpoint, Ratio: 1}).Validate(); err == nil {
			t.Errorf("%s is taken", endpoint)
		}
	}
	if err := (tracing.Config{Endpoint: "https://h:4317", Ratio: 2}).Validate(); err == nil {
		t.Error("a ratio of 2 is taken")
	}
}
