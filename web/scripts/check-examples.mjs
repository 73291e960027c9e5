// Checks GraphiQL's example operations and their variables against the API's schema.
// Usage: node scripts/check-examples.mjs [schema.graphqls]
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { buildSchema, getVariableValues, Kind, parse, validate } from "graphql";

const schemaFile = process.argv[2] ?? join(import.meta.dirname, "../../schema.graphqls");
const examples = join(import.meta.dirname, "../graphiql/examples");

if (!existsSync(schemaFile)) {
  console.error(`There is no ${basename(schemaFile)} to check the examples against.`);
  process.exit(1);
}
const schema = buildSchema(readFileSync(schemaFile, "utf8"));
const files = readdirSync(examples).filter((name) => name.endsWith(".graphql")).sort();
let failed = 0;

for (const name of files) {
  const problems = check(name);
  if (problems.length > 0) failed += 1;
  for (const problem of problems) console.error(`${name}: ${problem}`);
}
if (files.length === 0) console.error("There are no examples.");
console.log(`${files.length - failed} of ${files.length} examples are valid`);
process.exit(failed > 0 || files.length === 0 ? 1 : 0);

function check(name) {
  try {
    const document = parse(readFileSync(join(examples, name), "utf8"));
    const operations = document.definitions.filter((d) => d.kind === Kind.OPERATION_DEFINITION);
    if (operations.length !== 1 || !operations[0].name) return ["must hold one operation, with a name"];
    const invalid = validate(schema, document);
    if (invalid.length > 0) return invalid.map(describe);
    return checkVariables(name, operations[0].variableDefinitions ?? []);
  } catch (error) {
    return [describe(error)];
  }
}

function checkVariables(name, definitions) {
  const file = join(examples, name.replace(/\.graphql$/, ".json"));
  const given = existsSync(file) ? JSON.parse(fill(readFileSync(file, "utf8"))) : {};
  const declared = new Set(definitions.map((d) => d.variable.name.value));
  const unknown = Object.keys(given).filter((key) => !declared.has(key)).map((key) => `variable "${key}" is not declared`);
  const { errors = [] } = getVariableValues(schema, definitions, given);
  return [...unknown, ...errors.map(describe)];
}

/** Stands in for what the page fills in from the viewer. */
function fill(variables) {
  return variables.replaceAll(/\{\{\w+\}\}/g, "00000000-0000-4000-8000-000000000000");
}

function describe(error) {
  const at = error.locations?.[0];
  return at ? `${at.line}:${at.column} ${error.message}` : error.message;
}
