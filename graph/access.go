package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"patchbay/graph/generated"
	"patchbay/internal/auth"
	"patchbay/internal/integration"
)

// directives enforce what schema.graphqls says of each field.
var directives = generated.DirectiveRoot{
	Authenticated: func(ctx context.Context, _ any, next graphql.Resolver) (any, error) {
		if _, err := auth.Principal(ctx); err != nil {
			return nil, err
		}
		return next(ctx)
	},
	HasRole: func(ctx context.Context, _ any, next graphql.Resolver, role integration.Role) (any, error) {
		if err := checkRole(ctx, role); err != nil {
			return nil, err
		}
		return next(ctx)
	},
}

func checkRole(ctx context.Context, role integration.Role) error {
	p, err := auth.Principal(ctx)
	if err == nil && !p.Role.Includes(role) {
		err = integration.Forbidden("this needs the role %s, and %s has %s", role, p.Subject, p.Role)
	}
	return err
}

// rootAccess checks the directives of a query's or mutation's root field before its arguments are read: gqlgen reads
// them before it runs directives, and who may not ask should not learn what is wrong with the question. What is refused of
// a mutation, here or further on, goes into the audit trail.
func (r *Resolver) rootAccess(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	field := graphql.GetRootFieldContext(ctx).Field
	err := checkDirectives(ctx, field.Definition.Directives)
	answer := graphql.Marshaler(graphql.Null)
	if err == nil {
		answer = next(ctx)
	} else {
		graphql.AddError(graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: field.ObjectDefinition.Name, Field: field}), err)
	}
	if field.ObjectDefinition.Name == "Mutation" {
		r.recordDenied(ctx, field)
	}
	return answer
}

// subscriptionAccess is rootAccess for subscriptions, whose root fields gqlgen runs without what is around root fields. It also
// refuses those that ask for no field, on which gqlgen panics.
func subscriptionAccess(present graphql.ErrorPresenterFunc) graphql.OperationMiddleware {
	return func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		op := graphql.GetOperationContext(ctx)
		if op.Operation.Operation != ast.Subscription {
			return next(ctx)
		}
		fields := graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Subscription"})
		if len(fields) != 1 || fields[0].Name == "__typename" {
			return graphql.OneShot(&graphql.Response{Errors: gqlerror.List{refuse("BAD_USER_INPUT", "a subscription asks for exactly one field of Subscription")}})
		}
		if err := checkDirectives(ctx, fields[0].Definition.Directives); err != nil {
			ctx = graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: "Subscription", Field: fields[0]})
			return graphql.OneShot(&graphql.Response{Errors: gqlerror.List{present(ctx, err)}})
		}
		return next(ctx)
	}
}

func checkDirectives(ctx context.Context, directives ast.DirectiveList) error {
	for _, d := range directives {
		var err error
		switch d.Name {
		case "authenticated":
			_, err = auth.Principal(ctx)
		case "hasRole":
			err = checkRole(ctx, integration.Role(d.Arguments.ForName("role").Value.Raw))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
