package graph

import (
	"context"

	"github.com/99designs/gqlgen/complexity"
	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"patchbay/graph/generated"
	"patchbay/graph/model"
	"patchbay/internal/auth"
	"patchbay/internal/integration"
	"patchbay/internal/ratelimit"
)

const (
	// maxTokens bounds what is parsed at all; GraphiQL's introspection query has about 250. Validation compares each field
	// with every other one of its name: 5,000 tokens would cost a second, and 1,000 cost a twentieth of that.
	maxTokens = 1_000
	// strangersLength bounds what is parsed of those who are not signed in, in bytes: they can be answered little anyway.
	strangersLength = 1_000
	// maxFields bounds an operation with its fragments written out, before anything walks it: fragments that spread others
	// twice double it at every level.
	maxFields = 20_000
	// maxDepth bounds how deep fields nest; the standard introspection query reaches 13.
	maxDepth = 15
	// maxComplexity fits 200 integrations with every scalar, their providers and sync states, asked for as nodes and as
	// edges. A field costs one, a list what its items cost times how many it may have.
	maxComplexity = 40_000
	// assumedLength stands for lists whose length the client does not choose.
	assumedLength = 20
	// assumedRelationships is how many an imported object has, about: a task is in a list, and assigned to somebody or two.
	assumedRelationships = 4
)

// costs gives lists the cost of their items; every other field costs one more than what is below it.
func costs() generated.ComplexityRoot {
	var c generated.ComplexityRoot
	page := func(below int, first *int) int {
		if first == nil {
			return 1 + below
		}
		return 1 + below*min(max(*first, 1), integration.MaxFirst) // more is refused, and by the field's own name
	}
	list := func(below int) int { return 1 + below*assumedLength }
	c.Query.Projects = func(below int, _ string, first *int, _ *string) int { return page(below, first) }
	c.Query.Integrations = func(below int, _ string, _ uuid.UUID, _ *model.IntegrationFilter, first *int, _ *string) int {
		return page(below, first)
	}
	c.Query.AuditEvents = func(below int, _ string, _ *uuid.UUID, _ *model.AuditEventFilter, first *int, _ *string) int {
		return page(below, first)
	}
	c.Query.SyncRuns = func(below int, _ uuid.UUID, first *int, _ *string) int { return page(below, first) }
	c.Query.SyncedObjects = func(below int, _ uuid.UUID, _ *integration.SyncedObjectFilter, first *int, _ *string) int {
		return page(below, first)
	}
	c.SyncedObject.Relationships = func(below int) int { return 1 + below*assumedRelationships }
	c.Query.ExternalStructure = func(below int, _ uuid.UUID) int { return list(below) }
	c.Query.Gallery = func(below int, _ string, _ uuid.UUID) int { return list(below) }
	c.Query.Providers = list
	c.Query.SyncStates = func(below int, _ string, _ uuid.UUID, _ *integration.SyncStatus) int { return list(below) }
	c.Query.APIKeys = func(below int, _ string) int { return list(below) }
	return c
}

// limits refuses operations that are too deep or too costly, questions about the schema from strangers, and operations that
// the principal's budget does not allow, before anything is executed and whatever transport they came by.
type limits struct {
	schema  graphql.ExecutableSchema
	budgets *ratelimit.Budgets // nil limits nobody
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
	graphql.OperationContextMutator
} = &limits{}

func (*limits) ExtensionName() string { return "Limits" }

func (l *limits) Validate(schema graphql.ExecutableSchema) error {
	l.schema = schema
	return nil
}

func (l *limits) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if _, stranger := auth.Principal(ctx); stranger != nil && len(params.Query) > strangersLength {
		return refuse("UNAUTHENTICATED", "operations of over %d bytes are for the signed-in: send an API key as `Authorization: Bearer pb_…`", strangersLength)
	}
	return l.spend(ctx, rootPoints, 0) // even for what does not parse
}

func (l *limits) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if n := (fieldCounter{}).count(op.Operation.SelectionSet); n > maxFields {
		return refuse("BAD_USER_INPUT", "with its fragments written out the operation has more than %d fields", maxFields)
	}
	if err := checkEnums(l.schema.Schema(), op); err != nil {
		return err
	}
	_, stranger := auth.Principal(ctx)
	op.DisableIntrospection = stranger != nil
	if stranger != nil && (contains(op.Operation.SelectionSet, "__schema") || contains(op.Operation.SelectionSet, "__type")) {
		if !integration.IsKind(stranger, integration.KindUnauthenticated) {
			return gqlerror.Wrap(stranger) // the key could not be checked
		}
		return refuse("UNAUTHENTICATED", "the schema is for the signed-in: send an API key as `Authorization: Bearer pb_…`")
	}
	if d := depth(op.Operation.SelectionSet); d > maxDepth {
		return refuse("BAD_USER_INPUT", "the operation is %d fields deep, and at most %d are allowed", d, maxDepth)
	}
	c := complexity.Calculate(ctx, l.schema, op.Operation, op.Variables)
	if c > maxComplexity {
		return refuse("BAD_USER_INPUT", "the operation has a complexity of %d, and at most %d is allowed: ask for fewer fields or smaller pages", c, maxComplexity)
	}
	return l.spend(ctx, c+rootPoints*(rootFields(op.Operation.SelectionSet)-1), rootPoints)
}

// rootFields counts the fields of an operation's root, those of a fragment once for each time that it is spread there.
func rootFields(set ast.SelectionSet) int {
	n := 0
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			n++
		case *ast.InlineFragment:
			n += rootFields(s.SelectionSet)
		case *ast.FragmentSpread:
			n += rootFields(s.Definition.SelectionSet)
		}
	}
	return n
}

func refuse(code, format string, args ...any) *gqlerror.Error {
	err := gqlerror.Errorf(format, args...)
	errcode.Set(err, code)
	return err
}

// fieldCounter counts fields, those of a fragment once for each time that it is spread. It remembers fragments, so that
// the count takes no longer than reading the operation.
type fieldCounter map[*ast.FragmentDefinition]int

func (c fieldCounter) count(set ast.SelectionSet) int {
	n := 0
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			n += 1 + c.count(s.SelectionSet)
		case *ast.InlineFragment:
			n += c.count(s.SelectionSet)
		case *ast.FragmentSpread:
			below, known := c[s.Definition]
			if !known {
				below = c.count(s.Definition.SelectionSet)
				c[s.Definition] = below
			}
			n += 1 + below
		}
		n = min(n, maxFields+1)
	}
	return n
}

// depth counts the longest chain of fields. Validation has refused fragments that contain themselves.
func depth(set ast.SelectionSet) int {
	deepest := 0
	for _, s := range set {
		d := 0
		switch s := s.(type) {
		case *ast.Field:
			d = 1 + depth(s.SelectionSet)
		case *ast.InlineFragment:
			d = depth(s.SelectionSet)
		case *ast.FragmentSpread:
			d = depth(s.Definition.SelectionSet)
		}
		deepest = max(deepest, d)
	}
	return deepest
}
