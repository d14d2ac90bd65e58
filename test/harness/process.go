package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// readyTimeout bounds the wait for the line that says a server is ready. It is
// long because test machines are shared.
const readyTimeout = 60 * time.Second

// Process is a running server.
type Process struct {
	URL     string        // where it answers on HTTP, without a final slash
	Client  *http.Client  // that Query and Write use; nil: the default
	Account *url.Userinfo // whom they say that they are; nil: nobody

	cmd  *exec.Cmd
	log  *tail
	exit chan struct{} // closed when the process is gone
	err  error         // what Wait gave; read after exit is closed
}

// Build compiles varved for t and gives the path of the binary.
func Build(t testing.TB) string {
	t.Helper()
	binary := t.TempDir() + "/varved"
	cmd := exec.Command("go", "build", "-o", binary, "github.com/varvedb/varve/cmd/varved")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build varved: %v\n%s", err, out)
	}
	return binary
}

var readyURL = regexp.MustCompile(`https?://[^\s"]+`)

// Start runs varved on dir and a port that the kernel chooses and waits until
// it says that it is ready. Further flags may be given.
func Start(binary, dir string, flags ...string) (*Process, error) {
	args := append([]string{"--data-dir", dir, "--http-bind-address", "127.0.0.1:0"}, flags...)
	return Run(exec.Command(binary, args...))
}

// Run starts a server that prints its URL on standard output when it is ready,
// and waits for that line.
func Run(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, log: &tail{}, exit: make(chan struct{})}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = p.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			fmt.Fprintln(p.log, lines.Text())
			if u := readyURL.FindString(lines.Text()); u != "" {
				select {
				case said <- strings.TrimSuffix(u, "/"):
				default:
				}
			}
		}
		io.Copy(io.Discard, stdout)
		p.err = cmd.Wait()
		close(p.exit)
	}()
	select {
	case p.URL = <-said:
		return p, nil
	case <-p.exit:
		return nil, fmt.Errorf("server ended before it was ready: %w\n%s", p.err, p.log)
	case <-time.After(readyTimeout):
		p.Kill()
		return nil, fmt.Errorf("server not ready after %v\n%s", readyTimeout, p.log)
	}
}

// FreeAddress gives an address of this machine where nothing answers, for a
// server that does not say which port it took.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// runUntilItAnswers starts a server that does not say when it is ready, and
// waits until base+path answers with success.
func runUntilItAnswers(cmd *exec.Cmd, base, path string) (*Process, error) {
	p := &Process{URL: base, cmd: cmd, log: &tail{}, exit: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exit)
	}()
	for end := time.Now().Add(readyTimeout); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		select {
		case <-p.exit:
			return nil, fmt.Errorf("%s ended before it was ready: %w\n%s", cmd.Path, p.err, p.log)
		default:
		}
		if resp, err := http.Get(base + path); err == nil {
			resp.Body.Close()
			if resp.StatusCode < 300 {
				return p, nil
			}
		}
	}
	p.Kill()
	return nil, fmt.Errorf("%s not ready after %v\n%s", cmd.Path, readyTimeout, p.log)
}

// Kill ends the process with SIGKILL and waits for it.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.exit
}

// Stop asks the process to end by SIGTERM and waits for it. An exit code other
// than 0 is an error.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exit:
	case <-time.After(readyTimeout):
		p.Kill()
		return fmt.Errorf("server still there %v after SIGTERM\n%s", readyTimeout, p.log)
	}
	if p.err != nil {
		return fmt.Errorf("server ended with %w\n%s", p.err, p.log)
	}
	return nil
}

// Ended says whether the process is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.exit:
		return true
	default:
		return false
	}
}

// End waits for the process to end and says how it did.
func (p *Process) End() string {
	<-p.exit
	return p.cmd.ProcessState.String()
}

// PID gives the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log gives the last of what the process printed.
func (p *Process) Log() string { return p.log.String() }

// tailBytes bounds what is kept of a server's output.
const tailBytes = 64 << 10

// tail keeps the last tailBytes written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(b)
	if over := t.buf.Len() - tailBytes; over > 0 {
		t.buf.Next(over)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
