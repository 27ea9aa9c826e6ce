package web

import (
	"bytes"
	"embed"
	"mime"
	"net/http"
	"path"
	"time"
)

// files is the dashboard: all it needs, so that it works without a network.
//
//go:embed assets
var files embed.FS

func (s *Server) dashboard(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "index.html") }

func (s *Server) favicon(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "icon.svg") }

func (s *Server) asset(w http.ResponseWriter, r *http.Request) { serveFile(w, r, r.PathValue("name")) }

// serveFile sends one file. Browsers keep none: after an upgrade page and code must belong together.
func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	body, err := files.ReadFile("assets/" + path.Base(path.Clean("/"+name)))
	if err != nil {
		notFound.write(w)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	if path.Ext(name) == ".svg" || name == "favicon.ico" {
		w.Header().Set("Content-Type", "image/svg+xml")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
