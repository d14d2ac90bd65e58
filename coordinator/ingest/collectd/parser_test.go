package collectd

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// part gives a part of a packet.
func part(kind int, content []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(kind))
	b = binary.BigEndian.AppendUint16(b, uint16(len(content)+headerBytes))
	return append(b, content...)
}

// sign gives parts with a signature before them.
func sign(parts []byte, user, password string) []byte {
	mac := hmac.New(sha256.New, []byte(password))
	mac.Write([]byte(user))
	mac.Write(parts)
	return append(part(partSignature, append(mac.Sum(nil), user...)), parts...)
}

// load gives a packet with one value, 3.
func load() []byte {
	b := part(partPlugin, []byte("load\x00"))
	b = append(b, part(partType, []byte("load\x00"))...)
	return append(b, part(partValues, append([]byte{0, 1, byte(Derive)}, 0, 0, 0, 0, 0, 0, 0, 3))...)
}

func newPasswords(t *testing.T, text string) (*Passwords, string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := ReadPasswords(name)
	if err != nil {
		t.Fatal(err)
	}
	return p, name
}

func TestAPacketIsTakenOnlyAtItsLevel(t *testing.T) {
	passwords, _ := newPasswords(t, "u: p\n")
	p := Parser{Types: Types{"load": {{Name: "value", Kind: Gauge}}}, Passwords: passwords}
	forged := sign(load(), "u", "p")
	forged[len(forged)-1]++
	for _, c := range []struct {
		name     string
		packet   []byte
		security Security
		want     error
	}{
		{"plain", load(), None, nil},
		{"plain where signed is asked for", load(), Signed, errSecurity},
		{"signed", sign(load(), "u", "p"), Signed, nil},
		{"signed where encrypted is asked for", sign(load(), "u", "p"), Encrypted, errSecurity},
		{"forged", forged, None, errSignature},
		{"wrong password", sign(load(), "u", "x"), None, errSignature},
		{"unknown user", sign(load(), "x", "p"), None, errNoUser},
		{"signed twice", sign(sign(load(), "u", "p"), "u", "p"), None, errNested},
		{"cut off", load()[:20], None, errPart},
	} {
		p.Security = c.security
		points, _, err := p.Parse(c.packet, time.Unix(7, 0))
		if !errors.Is(err, c.want) || (len(points) == 1) != (c.want == nil) {
			t.Errorf("%s: %d points, %v, want %v", c.name, len(points), err, c.want)
		}
		if err == nil && (points[0].Measurement != "load_value" || points[0].Fields[0].Value != 3 || points[0].Time != 7e9) {
			t.Errorf("%s: %+v", c.name, points[0])
		}
	}
}

func TestPasswordsAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, name := newPasswords(t, "# all\nu: p\n")
		if got, err := p.find("u"); got != "p" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		if err := os.WriteFile(name, []byte("u: longer\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		if got, err := p.find("u"); got != "longer" || err != nil {
			t.Errorf("after a change %q, %v", got, err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		if _, err := p.find("u"); err == nil {
			t.Error("the password outlives its file")
		}
	})
}

func TestValuesOfUnknownTypesAreCounted(t *testing.T) {
	p := Parser{Types: Types{"load": {{Name: "a"}, {Name: "b"}}}}
	if points, dropped, err := p.Parse(load(), time.Now()); len(points) != 0 || dropped != 1 || err != nil {
		t.Errorf("%d points, %d dropped, %v; want one dropped", len(points), dropped, err)
	}
}
