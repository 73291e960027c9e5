package provider

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"patchbay/internal/integration"
)

// maxProblems bounds the work and the answer for a request that is wrong in very many places.
const maxProblems = 100

// place is where in the settings a problem is: a setting, or an item of its list.
type place struct {
	setting string // the setting's own name
	given   string // the name that the client used
	item    int    // counted from 0; negative for the setting itself
}

// of is the place of item i. A list in a list has no place of its own.
func (p place) of(i int) place {
	if p.item < 0 {
		p.item = i
	}
	return p
}

func (p place) field() string {
	if p.item < 0 {
		return "settings." + p.setting
	}
	return "settings." + p.setting + "." + strconv.Itoa(p.item)
}

func (p place) String() string {
	s := p.setting
	if p.given != p.setting {
		s += " (given as " + p.given + ")"
	}
	if p.item >= 0 {
		s = fmt.Sprintf("item %d of %s", p.item+1, s)
	}
	return s
}

// problems collects what is wrong with settings. No text may hold a value of a string setting, or a part of one.
type problems struct {
	found   []*integration.Error
	dropped int // beyond maxProblems
}

func (p *problems) keep(field, format string, args ...any) {
	if len(p.found) == maxProblems {
		p.dropped++
		return
	}
	p.found = append(p.found, integration.Invalid(field, format, args...))
}

// add reports a problem at a place; the text follows the setting's name, as in "must be …".
func (p *problems) add(at place, format string, args ...any) {
	p.keep(at.field(), "%s "+format, append([]any{at}, args...)...)
}

// unknown reports a name that is no setting.
func (p *problems) unknown(name string, s *settings) {
	field := "settings"
	if showable.MatchString(name) {
		field += "." + name
	}
	p.keep(field, "unknown setting%s; %s has %s", quoted(name), s.provider, strings.Join(s.names(), ", "))
}

// err joins the problems, sorted by field; nil where there are none.
func (p *problems) err() error {
	slices.SortFunc(p.found, func(a, b *integration.Error) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	p.found = slices.CompactFunc(p.found, func(a, b *integration.Error) bool { return *a == *b })
	var errs []error
	for _, e := range p.found {
		errs = append(errs, e)
	}
	if p.dropped > 0 {
		errs = append(errs, integration.Invalid("settings", "and %d problems more", p.dropped))
	}
	return errors.Join(errs...)
}

// showable is a name that a message may repeat. Shorter than the tokens of every provider here, and without what a
// password would have, in case a secret was put where a name belongs.
var showable = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,31}$`)

// quoted is the name, quoted and with a space before it, or nothing where it is not to be shown.
func quoted(name string) string {
	if !showable.MatchString(name) {
		return ""
	}
	return fmt.Sprintf(" %q", name)
}
