package embedpg

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxLogSize = 10 << 20 // bytes, above which a start sets the log aside
	tailSize   = 4 << 10  // bytes of the log in an error message
)

func (s *Server) passwordFile() string { return filepath.Join(s.dir, "password") }

// readPassword returns the superuser's password. The error never has any of the file's content.
func readPassword(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the private PostgreSQL's password: %w", err)
	}
	password := strings.TrimSpace(string(b))
	if password == "" {
		return "", fmt.Errorf("the private PostgreSQL's password: %s is empty", path)
	}
	return password, nil
}

// ensurePassword reads the password, or makes one if there is no data yet that knows another.
func (s *Server) ensurePassword(dataDir string) (string, error) {
	path := s.passwordFile()
	password, err := readPassword(path)
	if !errors.Is(err, os.ErrNotExist) {
		return password, err
	}
	if hasData(dataDir) {
		return "", fmt.Errorf("%w: put it back, or move %s away to begin with an empty database", err, dataDir)
	}
	password = rand.Text()
	// Whole or not at all: an attaching process reads it at any time.
	f, err := openPrivate(path+".new", os.O_WRONLY|os.O_TRUNC)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(password + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return password, os.Rename(path+".new", path)
}

// hasData tells whether initdb has made the folder.
func hasData(dataDir string) bool {
	_, err := os.Stat(filepath.Join(dataDir, "PG_VERSION"))
	return err == nil
}

// openLog opens the log for appending, and returns its size at that point. A big one is set aside first.
func (s *Server) openLog() (f *os.File, from int64, err error) {
	if info, err := os.Stat(s.LogFile()); err == nil && info.Size() > maxLogSize {
		if err := os.Rename(s.LogFile(), s.LogFile()+".1"); err != nil {
			return nil, 0, err
		}
	}
	if f, err = openPrivate(s.LogFile(), os.O_WRONLY|os.O_APPEND); err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// logTail returns the end of the log, from the given offset at most, to stand at the end of an error message.
func (s *Server) logTail(from int64) string {
	f, err := os.Open(s.LogFile())
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from = max(from, info.Size()-tailSize)
	b, err := io.ReadAll(io.NewSectionReader(f, from, tailSize))
	if err != nil {
		return ""
	}
	if tail := indent(b); tail != "" {
		return "\n  the end of " + s.LogFile() + ":" + tail
	}
	return ""
}

// indent sets lines off below an error message; "" for none.
func indent(out []byte) string {
	out = bytes.TrimSpace(out)
	if len(out) == 0 {
		return ""
	}
	return "\n    " + strings.ReplaceAll(string(out), "\n", "\n    ")
}
