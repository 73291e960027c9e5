package provider

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// checkWebAddress is what format uri asks of a setting. The text of its error completes "<setting> …" and holds nothing of
// the address, which may have a password in it. A value that is no string is not its business.
func checkWebAddress(v any) error {
	address, ok := v.(string)
	if !ok {
		return nil
	}
	u, err := url.Parse(address)
	switch {
	case !strings.HasPrefix(address, "https://"):
		return errors.New("must be an address that begins with https://")
	case err != nil || u.Hostname() == "" || strings.ContainsFunc(address, notInAddress):
		return errors.New("must be an address such as https://example.com")
	case u.User != nil:
		return errors.New("must not have a user name or password in the address")
	case strings.Contains(address, "?"):
		return errors.New("must not have a query (from ? on) in the address")
	case strings.Contains(address, "#"):
		return errors.New("must not have a fragment (from # on) in the address")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errors.New("must have a port between 1 and 65535 in the address, or none")
		}
	}
	return nil
}

func notInAddress(c rune) bool { return c == '\\' || unicode.IsSpace(c) || unicode.IsControl(c) }
