package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"patchbay/internal/config"
	"patchbay/internal/httpd"
)

// app is what every command gets.
type app struct {
	ctx     context.Context
	environ []string
	config  config.Config
	stdout  io.Writer
	log     *slog.Logger
}

func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	format := cfg.LogFormat
	if format == "" {
		format = "json"
		if f, ok := w.(*os.File); ok {
			if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
				format = "text"
			}
		}
	}
	options := &slog.HandlerOptions{Level: cfg.LogLevel.Level}
	var handler slog.Handler = slog.NewJSONHandler(w, options)
	if format == "text" {
		handler = slog.NewTextHandler(w, options)
	}
	return slog.New(httpd.LogHandler{Handler: handler})
}
