package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	page    = "<!doctype html><title>GraphiQL</title>"
	gallery = `<!doctype html><title>Patchbay</title><meta property="csp-nonce" nonce="{{nonce}}"><meta name="openid" content="{{openid}}">`
	script  = "console.log('a script that is long enough')"
)

func files() fstest.MapFS {
	dist := fstest.MapFS{}
	for name, content := range map[string]string{
		".gitkeep":                            "",
		"gallery/index.html":                  gallery,
		"gallery/icon.svg":                    "<svg/>",
		"gallery/assets/index-a1B2c3D4.js":    script,
		"graphiql/index.html":                 page,
		"graphiql/index.html.gz":              compress(page),
		"graphiql/licenses.md":                "# Licenses",
		"graphiql/assets/main-a1B2c3D4.js":    script,
		"graphiql/assets/main-a1B2c3D4.css":   "body{}",
		"graphiql/assets/font-a1B2c3D4.ttf":   "ttf",
		"graphiql/assets/font-a1B2c3D4.woff2": "woff2",
		"graphiql/assets/data-a1B2c3D4.json":  "{}",
		"graphiql/assets/data-a1B2c3D4.odd":   "?",
		"graphiql/assets/main-a1B2c3D4.js.gz": compress(script),
		"logos/clickup.svg":                   "<svg/>",
		"secret.txt":                          "outside of what is served",
	} {
		dist[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return dist
}

func compress(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// ask sends a request and returns the answer with its body. Headers are given as name, value, name, value.
func ask(t *testing.T, dist fs.FS, method, target string, headers ...string) (*http.Response, string) {
	t.Helper()
	h, err := New(dist, true)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = target // as it arrives: not cleaned
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	response := w.Result()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func wantStatus(t *testing.T, response *http.Response, want int) {
	t.Helper()
	if response.StatusCode != want {
		t.Errorf("status = %d, want %d", response.StatusCode, want)
	}
}

func wantHeader(t *testing.T, response *http.Response, name, want string) {
	t.Helper()
	if got := response.Header.Get(name); got != want {
		t.Errorf("%s = %q, want %q", name, got, want)
	}
}

func wantGuarded(t *testing.T, response *http.Response) {
	t.Helper()
	wantHeader(t, response, "X-Content-Type-Options", "nosniff")
	wantHeader(t, response, "Referrer-Policy", "no-referrer")
	wantHeader(t, response, "X-Frame-Options", "DENY")
}

func TestPage(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/graphiql", "/graphiql/"} {
		response, body := ask(t, files(), "GET", target)
		wantStatus(t, response, 200)
		if body != page {
			t.Errorf("%s: body = %q", target, body)
		}
		wantHeader(t, response, "Content-Type", "text/html; charset=utf-8")
		wantHeader(t, response, "Cache-Control", "no-cache")
		wantHeader(t, response, "Content-Security-Policy", graphiqlPolicy)
		wantHeader(t, response, "Vary", "Accept-Encoding")
		wantGuarded(t, response)
	}
}

func TestGallery(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, target := range []string{"/", "/integrations/0198c0de-7a3b", "/integrations/0198c0de-7a3b/runs", "/administration", "/administration/keys"} {
		response, body := ask(t, files(), "GET", target, "Accept-Encoding", "gzip")
		wantStatus(t, response, 200)
		wantHeader(t, response, "Content-Type", "text/html; charset=utf-8")
		wantHeader(t, response, "Cache-Control", "no-store")
		wantHeader(t, response, "Content-Encoding", "")
		wantGuarded(t, response)
		found := regexp.MustCompile(`nonce="([A-Z2-7]{26,})"`).FindStringSubmatch(body)
		if found == nil || seen[found[1]] {
			t.Fatalf("%s: the nonce is missing, or was used: %s", target, body)
		}
		seen[found[1]] = true
		wantHeader(t, response, "Content-Security-Policy", strings.Replace(galleryPolicy, nonceMark, found[1], 1))
		if strings.Contains(body, "{{") || !strings.Contains(body, `name="openid" content="true"`) {
			t.Errorf("%s: body = %s", target, body)
		}
	}
	response, body := ask(t, files(), "HEAD", "/")
	wantStatus(t, response, 200)
	if body != "" {
		t.Errorf("HEAD: body %q", body)
	}
	broken := files()
	broken["gallery/index.html"] = &fstest.MapFile{Data: []byte(page)}
	if _, err := New(broken, true); err == nil || !strings.Contains(err.Error(), nonceMark) {
		t.Errorf("a page without a place for the nonce: %v", err)
	}
}

func TestPoliciesForbidInlineScriptsAndForeignOrigins(t *testing.T) {
	t.Parallel()
	for page, policy := range map[string]string{"gallery": galleryPolicy, "graphiql": graphiqlPolicy} {
		directives := map[string]string{}
		for directive := range strings.SplitSeq(policy, "; ") {
			name, sources, _ := strings.Cut(directive, " ")
			directives[name] = sources
		}
		for name, want := range map[string]string{
			"default-src": "'none'", "script-src": "'self'", "connect-src": "'self'",
			"font-src": "'self'", "base-uri": "'none'", "form-action": "'self'", "frame-ancestors": "'none'",
		} {
			if directives[name] != want {
				t.Errorf("%s: %s = %q, want %q", page, name, directives[name], want)
			}
		}
		if strings.Contains(policy, "http") || strings.Contains(policy, "*") {
			t.Errorf("%s: the policy admits foreign origins: %s", page, policy)
		}
	}
	if strings.Contains(galleryPolicy, "unsafe") {
		t.Errorf("the gallery's policy admits inline code: %s", galleryPolicy)
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	const forever = "public, max-age=31536000, immutable"
	for _, test := range []struct{ target, contentType, cacheControl string }{
		{"/assets/index-a1B2c3D4.js", "text/javascript; charset=utf-8", forever},
		{"/icon.svg", "image/svg+xml", "no-cache"},
		{"/graphiql/assets/main-a1B2c3D4.js", "text/javascript; charset=utf-8", forever},
		{"/graphiql/assets/main-a1B2c3D4.css", "text/css; charset=utf-8", forever},
		{"/graphiql/assets/font-a1B2c3D4.ttf", "font/ttf", forever},
		{"/graphiql/assets/font-a1B2c3D4.woff2", "font/woff2", forever},
		{"/graphiql/assets/data-a1B2c3D4.json", "application/json", forever},
		{"/graphiql/assets/data-a1B2c3D4.odd", "application/octet-stream", forever},
		{"/graphiql/licenses.md", "text/markdown; charset=utf-8", "no-cache"},
		{"/logos/clickup.svg", "image/svg+xml", "public, max-age=86400"},
	} {
		t.Run(test.target, func(t *testing.T) {
			t.Parallel()
			response, _ := ask(t, files(), "GET", test.target)
			wantStatus(t, response, 200)
			wantHeader(t, response, "Content-Type", test.contentType)
			wantHeader(t, response, "Cache-Control", test.cacheControl)
			wantGuarded(t, response)
			if response.Header.Get("Content-Security-Policy") == "" {
				t.Error("no Content-Security-Policy")
			}
			if response.Header.Get("Last-Modified") != "" {
				t.Error("Last-Modified is set, and embedded files have none")
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"", "/index.html", "/gallery", "/gallery/", "/gallery/index.html", "/assets", "/assets/", "/assets/index-00000000.js",
		"/integrations", "/integrations/", "/integrations/x.js", "/integrations/x/y/z", "/integrations//x", "/administration/x.css", "/elsewhere",
		"/graphiql/index.html", "/graphiql/assets", "/graphiql/assets/", "/graphiql/assets/main-00000000.js",
		"/graphiql/some/route", "/graphiql/assets/main-a1B2c3D4.js.gz", "/logos", "/logos/", "/logos/nobody.svg",
		"/graphiql/../secret.txt", "/graphiql/../../web.go", "/logos/../secret.txt", "/secret.txt", "/.gitkeep",
		"/graphiql/./licenses.md", "/graphiql//licenses.md", `/graphiql/..\secret.txt`, "/logos/clickup.svg/", "/logos/clickup.svg\x00",
	} {
		response, body := ask(t, files(), "GET", target)
		if response.StatusCode != 404 || strings.Contains(body, "<") || strings.Contains(body, "outside") {
			t.Errorf("%q: status %d, body %q; want 404 with a plain text", target, response.StatusCode, body)
		}
		wantHeader(t, response, "Cache-Control", "no-store")
		wantGuarded(t, response)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	const target = "/graphiql/assets/main-a1B2c3D4.js"
	for _, test := range []struct {
		accept string
		packed bool
	}{
		{"", false},
		{"gzip", true},
		{"br, GZIP;q=0.5", true},
		{"deflate, gzip ; q=1.0, *;q=0", true},
		{"*", true},
		{"gzip;q=0", false},
		{"gzip;q=0, *", false},
		{"*;q=0", false},
		{"br", false},
		{"identity", false},
		{"gzip;q=nonsense", false},
	} {
		response, body := ask(t, files(), "GET", target, "Accept-Encoding", test.accept)
		wantStatus(t, response, 200)
		wantHeader(t, response, "Vary", "Accept-Encoding")
		wantHeader(t, response, "Content-Type", "text/javascript; charset=utf-8")
		want, encoding := script, ""
		if test.packed {
			want, encoding = compress(script), "gzip"
		}
		if body != want || response.Header.Get("Content-Encoding") != encoding || response.ContentLength != int64(len(want)) {
			t.Errorf("Accept-Encoding %q: encoding %q, %d bytes of %d; want %q, %d bytes",
				test.accept, response.Header.Get("Content-Encoding"), len(body), response.ContentLength, encoding, len(want))
		}
	}
	response, _ := ask(t, files(), "GET", "/logos/clickup.svg", "Accept-Encoding", "gzip")
	wantHeader(t, response, "Content-Encoding", "")
	wantHeader(t, response, "Vary", "")
}

func TestConditional(t *testing.T) {
	t.Parallel()
	const target = "/graphiql"
	plain, _ := ask(t, files(), "GET", target)
	packed, _ := ask(t, files(), "GET", target, "Accept-Encoding", "gzip")
	plainTag, packedTag := plain.Header.Get("ETag"), packed.Header.Get("ETag")
	if plainTag == "" || packedTag == "" || plainTag == packedTag {
		t.Fatalf("ETags = %q, %q; want two different ones", plainTag, packedTag)
	}
	for _, test := range []struct {
		encoding, ifNoneMatch string
		status                int
	}{
		{"", plainTag, 304},
		{"", `"other", W/` + plainTag, 304},
		{"", "*", 304},
		{"", packedTag, 200},
		{"gzip", packedTag, 304},
		{"gzip", plainTag, 200},
	} {
		response, body := ask(t, files(), "GET", target, "Accept-Encoding", test.encoding, "If-None-Match", test.ifNoneMatch)
		wantStatus(t, response, test.status)
		wantHeader(t, response, "Vary", "Accept-Encoding")
		wantHeader(t, response, "Cache-Control", "no-cache")
		if test.status == 304 && body != "" {
			t.Errorf("304 with a body: %q", body)
		}
	}
	changed := files()
	changed["graphiql/index.html"] = &fstest.MapFile{Data: []byte(page + "!")}
	response, _ := ask(t, changed, "GET", target, "If-None-Match", plainTag)
	wantStatus(t, response, 200)
}

func TestMethods(t *testing.T) {
	t.Parallel()
	response, body := ask(t, files(), "HEAD", "/graphiql", "Accept-Encoding", "gzip")
	wantStatus(t, response, 200)
	if body != "" || response.ContentLength != int64(len(compress(page))) {
		t.Errorf("HEAD: body %q, length %d", body, response.ContentLength)
	}
	for _, dist := range []fs.FS{files(), fstest.MapFS{}} {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			response, _ := ask(t, dist, method, "/graphiql")
			wantStatus(t, response, 405)
			wantHeader(t, response, "Allow", "GET, HEAD")
		}
	}
}

func TestNotBuilt(t *testing.T) {
	t.Parallel()
	dist := fstest.MapFS{".gitkeep": &fstest.MapFile{}}
	for _, target := range []string{"/", "/integrations/x", "/graphiql", "/graphiql/assets/main-a1B2c3D4.js", "/logos/clickup.svg"} {
		response, body := ask(t, dist, "GET", target)
		wantStatus(t, response, 503)
		wantHeader(t, response, "Content-Type", "text/plain; charset=utf-8")
		wantHeader(t, response, "Cache-Control", "no-store")
		wantGuarded(t, response)
		if body != notBuilt {
			t.Errorf("body = %q", body)
		}
	}
}

var (
	sources = regexp.MustCompile(`(?i)<(?:script|link|img|iframe|form)\b[^>]*?\b(?:src|href|action)\s*=\s*["']?([^"'\s>]+)`)
	inline  = regexp.MustCompile(`(?is)<script\b[^>]*>\s*[^<\s]|<style\b|\son\w+\s*=`)
)

func TestRealPages(t *testing.T) {
	t.Parallel()
	dist := Dist()
	if !Built() {
		t.Skip("the web pages are not built: run `make web`")
	}
	pages, _ := fs.Glob(dist, "*/index.html")
	for _, name := range pages {
		html, err := fs.ReadFile(dist, name)
		if err != nil {
			t.Fatal(err)
		}
		if found := inline.Find(html); found != nil {
			t.Errorf("%s: inline code, which the policy forbids: %s", name, found)
		}
		for _, match := range sources.FindAllSubmatch(html, -1) {
			target := string(match[1])
			if strings.Contains(target, "//") {
				t.Errorf("%s refers to another origin: %s", name, target)
				continue
			}
			response, _ := ask(t, dist, "GET", target)
			if response.StatusCode != 200 {
				t.Errorf("%s refers to %s, which answers %d", name, target, response.StatusCode)
			}
		}
	}
	if kilobytes := firstLoad(t, dist) / 1000; kilobytes > 250 {
		t.Errorf("the gallery's first load is %d KB of compressed scripts, want at most 250", kilobytes)
	}
	for _, logo := range []string{"clickup", "github", "jira", "linear"} {
		response, body := ask(t, dist, "GET", "/logos/"+logo+".svg")
		if response.StatusCode != 200 || !strings.Contains(body, "viewBox") || !strings.Contains(body, "<title>") {
			t.Errorf("logo of %s: status %d, %.80s", logo, response.StatusCode, body)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		switch path.Ext(name) {
		case ".map":
			t.Errorf("%s: a source map", name)
		case ".gz":
			checkTwin(t, dist, name, content)
		case ".js", ".css", ".html", ".md":
			if bytes.Contains(content, []byte("# sourceMappingURL=")) {
				t.Errorf("%s names a source map", name)
			}
			if bytes.Contains(content, []byte(here)) {
				t.Errorf("%s holds a path of the machine that built it", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var scripts = regexp.MustCompile(`(?:src|href)="(/assets/[^"]+\.js)"`)

// firstLoad is how many bytes of compressed scripts the gallery's page asks for, with what they import without waiting.
func firstLoad(t *testing.T, dist fs.FS) (bytes int64) {
	t.Helper()
	response, html := ask(t, dist, "GET", "/")
	wantStatus(t, response, 200)
	found := scripts.FindAllStringSubmatch(html, -1)
	if len(found) == 0 {
		t.Errorf("the gallery's page has no script: %s", html)
	}
	for _, match := range found {
		response, _ := ask(t, dist, "GET", match[1], "Accept-Encoding", "gzip")
		wantStatus(t, response, 200)
		bytes += response.ContentLength
	}
	return bytes
}

// checkTwin compares a compressed file with the one beside it.
func checkTwin(t *testing.T, dist fs.FS, name string, packed []byte) {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	unpacked, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	plain, err := fs.ReadFile(dist, strings.TrimSuffix(name, ".gz"))
	if err != nil || !bytes.Equal(plain, unpacked) {
		t.Errorf("%s differs from what it compresses (%v)", name, err)
	}
}
