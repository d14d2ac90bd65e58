package config

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// readSecret reads a file that holds nothing but a secret.
func readSecret(name string) (string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return text, nil
}

// secretOf gives the secret that the setting names a file of, or "".
func (s *setting) secretOf() string {
	of, ok := strings.CutSuffix(s.name, fileSuffix)
	if secret := findSetting(of); ok && secret != nil && secret.value == isSecret {
		return of
	}
	return ""
}

// others are the bits by which everyone on the machine reads or writes a file.
// The group's are left to the operator: packages give a file to root, and to
// the server by its group.
const others fs.FileMode = 0o006

// checkMode warns of a file with a secret that everyone may read. It is no
// error: what runs containers makes such files, where there is nobody else.
func (l *loader) checkMode(name string) error {
	info, err := os.Stat(name)
	if err == nil && info.Mode().Perm()&others != 0 {
		l.warnings = append(l.warnings, fmt.Sprintf("%s holds a secret and has mode %04o: everyone on this machine may read it", name, info.Mode().Perm()))
	}
	return err
}

// checkListeners warns of the files with secrets that listeners read. Whether they
// are there is for the listeners to say.
func (l *loader) checkListeners() {
	for _, c := range l.config.Listeners.Collectd {
		if c.Enabled {
			_ = l.checkMode(c.AuthFile)
		}
	}
	for _, o := range l.config.Listeners.OpenTSDB {
		if o.Enabled && o.TLSEnabled { // the key is in it
			_ = l.checkMode(o.Certificate)
		}
	}
}

// refuseMode refuses a file of settings with a secret that everyone may read.
func (l *loader) refuseMode(name, setting string) error {
	info, err := os.Stat(name)
	if err == nil && info.Mode().Perm()&others != 0 {
		return fmt.Errorf("%s holds %s and has mode %04o: everyone on this machine may read it; chmod 600, or %s%s names a file of its own",
			name, setting, info.Mode().Perm(), setting, fileSuffix)
	}
	return err
}

// shown gives a value for an error.
func (s *setting) shown(v any) string {
	text, ok := v.(string)
	switch {
	case s.value == isSecret:
		return "(secret)"
	case ok:
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprint(v)
}
