package graph

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// checkEnums refuses enum values in variables that are not spelt as the schema does: the validation takes them in small
// letters too, which nobody behind it understands.
func checkEnums(schema *ast.Schema, op *graphql.OperationContext) *gqlerror.Error {
	for _, v := range op.Operation.VariableDefinitions {
		path := ast.Path{ast.PathName("variable"), ast.PathName(v.Variable)}
		if err := checkEnum(schema, v.Type, op.Variables[v.Variable], path); err != nil {
			return err
		}
	}
	return nil
}

func checkEnum(schema *ast.Schema, t *ast.Type, value any, path ast.Path) *gqlerror.Error {
	if t.Elem != nil {
		items, isList := value.([]any)
		if !isList {
			return checkEnum(schema, t.Elem, value, path)
		}
		for i, item := range items {
			if err := checkEnum(schema, t.Elem, item, append(path, ast.PathIndex(i))); err != nil {
				return err
			}
		}
		return nil
	}
	def := schema.Types[t.NamedType]
	switch value := value.(type) {
	case string:
		if def.Kind == ast.Enum && def.EnumValues.ForName(value) == nil {
			err := gqlerror.ErrorPathf(path, "not a valid %s", def.Name)
			errcode.Set(err, errcode.ValidationFailed)
			return err
		}
	case map[string]any:
		if def.Kind != ast.InputObject {
			return nil
		}
		for _, field := range def.Fields {
			if err := checkEnum(schema, field.Type, value[field.Name], append(path, ast.PathName(field.Name))); err != nil {
				return err
			}
		}
	}
	return nil
}
