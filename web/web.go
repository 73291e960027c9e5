// Package web serves the pages that Vite builds and the binary embeds: the gallery, GraphiQL and the providers' logos.
package web

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// embedded holds dist/.gitkeep alone until the pages are built.
//
//go:embed all:dist
var embedded embed.FS

const notBuilt = "The web pages are not built: run `make web` (needs Node.js). The API at /graphql works without them.\n"

// Content security policies. The gallery's components write style elements, which carry the nonce of the one response that
// they are in; its style attributes are set by script, which no policy restricts. Monaco, GraphiQL's editor, writes style elements and attributes, and draws squiggles from
// data: images. Workers get the page's policy too: a worker obeys its own response's, not that of the page.
const (
	galleryPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonceMark + "'; img-src 'self'; " +
		"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	graphiqlPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	// For what is no page, and still can be opened as one.
	logoPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"
)

// galleryPage is the page of every address of the gallery. In it and in its policy, each answer has values of its own in the
// places of these marks.
const (
	galleryPage = "gallery/index.html"
	nonceMark   = "{{nonce}}"
	openIDMark  = "{{openid}}" // whether people sign in at an OpenID provider
)

// galleryRoutes are the addresses that the gallery's scripts understand, beside "/". An address with a dot is a file's.
var galleryRoutes = regexp.MustCompile(`^/(integrations(/[^/.]+){1,2}|administration(/[^/.]+)?)/?$`)

// The system's table of types differs from machine to machine.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".html":  "text/html; charset=utf-8",
	".ico":   "image/x-icon",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json",
	".map":   "application/json",
	".md":    "text/markdown; charset=utf-8",
	".png":   "image/png",
	".svg":   "image/svg+xml",
	".ttf":   "font/ttf",
	".txt":   "text/plain; charset=utf-8",
	".wasm":  "application/wasm",
	".woff":  "font/woff",
	".woff2": "font/woff2",
}

// Dist is what Vite built, as it was embedded.
func Dist() fs.FS {
	dist, err := fs.Sub(embedded, "dist")
	if err != nil {
		panic(err) // the name is a valid one
	}
	return dist
}

// Built reports whether the binary carries the web pages.
func Built() bool { return built(Dist()) }

func built(dist fs.FS) bool {
	_, err := fs.Stat(dist, galleryPage)
	return err == nil
}

// New makes the handler of the pages' addresses from built pages (see Dist): all but those of the API. It looks at the whole
// path of a request: mount it without stripping a prefix. Until the pages are built, it answers 503 with what to do.
// openID says whether people sign in at an OpenID provider.
func New(dist fs.FS, openID bool) (http.Handler, error) {
	if !built(dist) {
		return http.HandlerFunc(serveNotBuilt), nil
	}
	page, err := fs.ReadFile(dist, galleryPage)
	if err != nil {
		return nil, fmt.Errorf("read the web pages: %w", err)
	}
	for _, mark := range []string{nonceMark, openIDMark} {
		if !bytes.Contains(page, []byte(mark)) {
			return nil, fmt.Errorf("%s has no %s", galleryPage, mark)
		}
	}
	h := handler{dist: dist, assets: map[string]*asset{}, gallery: strings.ReplaceAll(string(page), openIDMark, strconv.FormatBool(openID))}
	for _, folder := range []string{"gallery", "graphiql", "logos"} {
		if err := h.add(folder); err != nil {
			return nil, fmt.Errorf("read the web pages: %w", err)
		}
	}
	return h, nil
}

// handler serves a fixed set of files: a path that is neither in the map nor the gallery's does not exist, however it is
// spelled.
type handler struct {
	dist    fs.FS
	assets  map[string]*asset // by URL path
	gallery string            // its page, but for the nonce
}

type asset struct {
	plain, gzip  variant // gzip has no name where compression did not pay
	contentType  string
	cacheControl string
	policy       string
}

type variant struct {
	name string // in dist
	etag string
	size int64
}

func (h handler) add(folder string) error {
	err := fs.WalkDir(h.dist, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || path.Ext(name) == ".gz" || name == galleryPage {
			return nil
		}
		a, err := h.read(name)
		if err != nil {
			return err
		}
		// A page has its folder's address, with or without the slash.
		if dir, file := path.Split(name); file == "index.html" {
			h.assets["/"+dir], h.assets["/"+strings.TrimSuffix(dir, "/")] = a, a
		} else {
			h.assets["/"+strings.TrimPrefix(name, "gallery/")] = a // the gallery is at the root
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (h handler) read(name string) (*asset, error) {
	a := &asset{contentType: contentTypes[path.Ext(name)], policy: logoPolicy}
	if a.contentType == "" {
		a.contentType = "application/octet-stream"
	}
	if strings.HasPrefix(name, "graphiql/") {
		a.policy = graphiqlPolicy
	}
	switch {
	case strings.Contains(name, "/assets/"): // Vite puts the content's hash into these names
		a.cacheControl = "public, max-age=31536000, immutable"
	case strings.HasPrefix(name, "logos/"):
		a.cacheControl = "public, max-age=86400"
	default:
		a.cacheControl = "no-cache"
	}
	var err error
	if a.plain, err = h.sum(name); err != nil {
		return nil, err
	}
	if a.gzip, err = h.sum(name + ".gz"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return a, nil
}

// sum reads a file once, for its entity tag: embedded files have no modification time.
func (h handler) sum(name string) (variant, error) {
	file, err := h.dist.Open(name)
	if err != nil {
		return variant{}, err
	}
	defer file.Close()
	if _, ok := file.(io.ReadSeeker); !ok {
		return variant{}, fmt.Errorf("%s: the file system cannot seek", name)
	}
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err != nil {
		return variant{}, err
	}
	return variant{name: name, etag: `"` + hex.EncodeToString(hash.Sum(nil)[:16]) + `"`, size: size}, nil
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard(w.Header())
	if !readOnly(w, r) {
		return
	}
	if r.URL.Path == "/" || galleryRoutes.MatchString(r.URL.Path) {
		h.serveGallery(w, r)
		return
	}
	a := h.assets[r.URL.Path]
	if a == nil {
		w.Header().Set("Content-Security-Policy", logoPolicy)
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "There is no such page.", http.StatusNotFound)
		return
	}
	v := a.plain
	if a.gzip.name != "" && acceptsGzip(r.Header.Values("Accept-Encoding")) {
		v = a.gzip
	}
	file, err := h.dist.Open(v.name)
	if err != nil {
		http.Error(w, "The page cannot be read.", http.StatusInternalServerError)
		return
	}
	defer file.Close()
	header := w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("Content-Security-Policy", a.policy)
	header.Set("Cache-Control", a.cacheControl)
	header.Set("ETag", v.etag)
	if a.gzip.name != "" {
		header.Set("Vary", "Accept-Encoding")
	}
	if v == a.gzip {
		header.Set("Content-Encoding", "gzip")
		// http.ServeContent leaves it out of encoded answers.
		header.Set("Content-Length", strconv.FormatInt(v.size, 10))
	}
	// Seekable: sum has checked. ServeContent does HEAD, If-None-Match and ranges.
	http.ServeContent(w, r, "", time.Time{}, file.(io.ReadSeeker))
}

// serveGallery answers with a page that is never stored: its nonce must not be that of another answer.
func (h handler) serveGallery(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	header := w.Header()
	header.Set("Content-Type", contentTypes[".html"])
	header.Set("Content-Security-Policy", strings.Replace(galleryPolicy, nonceMark, nonce, 1))
	header.Set("Cache-Control", "no-store")
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, strings.ReplaceAll(h.gallery, nonceMark, nonce))
	}
}

func serveNotBuilt(w http.ResponseWriter, r *http.Request) {
	guard(w.Header())
	if !readOnly(w, r) {
		return
	}
	w.Header().Set("Content-Security-Policy", logoPolicy)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, notBuilt)
}

// guard sets what every answer carries.
func guard(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Frame-Options", "DENY")
}

// readOnly answers everything but GET and HEAD, and reports whether to go on.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "Only GET and HEAD are allowed here.", http.StatusMethodNotAllowed)
	return false
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip's own weight counts before that of "*".
func acceptsGzip(values []string) bool {
	wildcard := false
	for coding := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		wanted := weight(parameters) > 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return wanted
		case "*":
			wildcard = wanted
		}
	}
	return wildcard
}

// weight reads "q=0.5"; it is 1 when absent and 0 when malformed.
func weight(parameters string) float64 {
	parameters = strings.ToLower(strings.ReplaceAll(parameters, " ", ""))
	if parameters == "" {
		return 1
	}
	text, found := strings.CutPrefix(parameters, "q=")
	q, err := strconv.ParseFloat(text, 64)
	if !found || err != nil {
		return 0
	}
	return q
}
