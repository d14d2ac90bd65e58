package config

import (
	"fmt"
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
