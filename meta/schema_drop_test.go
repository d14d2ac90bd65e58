package meta_test

import (
	"testing"

	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

func TestForgottenMeasurementGetsItsTypesAnew(t *testing.T) {
	kv := metatest.NewMemory()
	s := metatest.OpenStore(t, kv, "n")
	if err := s.CreateDatabase(t.Context(), "db", nil); err != nil {
		t.Fatal(err)
	}
	g, err := s.EnsureGroup(t.Context(), s.Snapshot().Database("db").Policy("").UID, 0)
	if err != nil {
		t.Fatal(err)
	}
	ensure := func(measurement string, asked model.FieldType) model.FieldType {
		t.Helper()
		agreed, err := s.EnsureFields(t.Context(), g.ID, measurement, []model.Field{{Name: "v", Type: asked}})
		if err != nil {
			t.Fatal(err)
		}
		return agreed[0].Type
	}
	ensure("m", model.Float)
	ensure("other", model.Float)
	for range 2 { // forgetting what is not there is no error
		if err := s.ForgetMeasurement(t.Context(), g.ID, "m"); err != nil {
			t.Fatalf("ForgetMeasurement gave %v", err)
		}
	}
	if got := ensure("m", model.String); got != model.String {
		t.Errorf("type after forgetting is %v, want string", got)
	}
	if got := ensure("other", model.String); got != model.Float {
		t.Errorf("type of another measurement is %v, want float as before", got)
	}
}
