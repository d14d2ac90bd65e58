package config

import "strings"

// CommandLine gives arguments as they may be shown: without the values of
// settings that are secret.
func CommandLine(args []string) []string {
	shown := make([]string, 0, len(args))
	hide := false
	for _, arg := range args {
		name, _, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		s := findSetting(name)
		secret := strings.HasPrefix(arg, "-") && s != nil && s.value == isSecret
		switch {
		case hide:
			arg = "[REDACTED]"
		case secret && given:
			arg = arg[:strings.IndexByte(arg, '=')+1] + "[REDACTED]"
		}
		hide = secret && !given && !hide
		shown = append(shown, arg)
	}
	return shown
}
