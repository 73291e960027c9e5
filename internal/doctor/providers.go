package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Origin is where a provider's API is.
type Origin struct {
	Provider string // its name
	URL      string
}

// reachTimeout bounds each try; all run at once.
const reachTimeout = 5 * time.Second

// reach tries every origin. A server may have no way out on purpose, so nothing here is severe.
func (o *Options) reach(ctx context.Context) []Finding {
	client := &http.Client{
		Transport:     o.Transport,
		Timeout:       reachTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	found := make([]Finding, len(o.Origins))
	var all sync.WaitGroup
	for i, origin := range o.Origins {
		all.Go(func() { found[i] = reachOne(ctx, client, origin) })
	}
	all.Wait()
	return found
}

func reachOne(ctx context.Context, client *http.Client, origin Origin) Finding {
	f := Finding{Check: "provider-" + origin.Provider, Severity: OK, Message: origin.URL + " answers."}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, origin.URL+"/", nil)
	if err != nil {
		return failed(f.Check, err)[0]
	}
	res, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		f.Severity = Warning
		f.Message = fmt.Sprintf("%s cannot be reached: %s", origin.URL, sentence(err))
		f.Remedy = "Allow this machine to reach it over HTTPS (HTTPS_PROXY names a proxy); where nothing of this provider is used, or on purpose, pass it over with --offline."
		return f
	}
	_ = res.Body.Close()
	if res.StatusCode >= http.StatusInternalServerError {
		f.Severity = Warning
		f.Message = fmt.Sprintf("%s answers with status %d.", origin.URL, res.StatusCode)
		f.Remedy = "Look at the provider's status page, and try again later."
	}
	return f
}
