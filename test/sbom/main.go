// Command sbom prints what Go binaries are made of, as the linker wrote it into
// them (go version -m), as a bill of materials in CycloneDX's JSON. The same
// binaries give the same bytes: it has no time and no serial number.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// bill is a document of CycloneDX 1.6.
type bill struct {
	Format      string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    metadata    `json:"metadata"`
	Components  []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string      `json:"type"`
	Name       string      `json:"name"`
	Version    string      `json:"version,omitempty"`
	PURL       string      `json:"purl,omitempty"`
	Ref        string      `json:"bom-ref,omitempty"`
	Hashes     []hash      `json:"hashes,omitempty"`
	Properties []property  `json:"properties,omitempty"`
	Components []component `json:"components,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// run prints the bill of binaries of one module: version says which of it they
// are.
func run(args []string, w io.Writer) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: sbom VERSION BINARY…")
	}
	b := &bill{Format: "CycloneDX", SpecVersion: "1.6", Version: 1}
	modules := make(map[string]component)
	for _, name := range args[1:] {
		if err := b.add(name, args[0], modules); err != nil {
			return err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		b.Components = append(b.Components, modules[path])
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(b)
}

// add adds a binary to what the bill is about, and its modules to modules.
func (b *bill) add(name, version string, modules map[string]component) error {
	info, err := buildinfo.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	file := component{Type: "file", Name: filepath.Base(name), Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}}}
	for _, s := range info.Settings {
		file.Properties = append(file.Properties, property{"go:build:" + s.Key, s.Value})
	}
	whole := &b.Metadata.Component
	if whole.Name != "" && whole.Name != info.Main.Path {
		return fmt.Errorf("%s is of %s, the others are of %s", name, info.Main.Path, whole.Name)
	}
	whole.Type, whole.Name, whole.Version = "application", info.Main.Path, version
	whole.PURL = "pkg:golang/" + info.Main.Path + "@" + version
	whole.Ref = whole.PURL
	whole.Components = append(whole.Components, file)
	modules["std"] = library("std", strings.TrimPrefix(info.GoVersion, "go"), "")
	for _, m := range info.Deps {
		used := m
		if m.Replace != nil {
			used = m.Replace
		}
		modules[used.Path] = libraryOf(used)
	}
	return nil
}

func libraryOf(m *debug.Module) component { return library(m.Path, m.Version, m.Sum) }

// library describes a module. Its checksum is Go's own, of the tree of files,
// which CycloneDX has no name for.
func library(path, version, sum string) component {
	c := component{Type: "library", Name: path, Version: version, PURL: "pkg:golang/" + path + "@" + version}
	c.Ref = c.PURL
	if sum != "" {
		c.Properties = []property{{"go:sum", sum}}
	}
	return c
}
