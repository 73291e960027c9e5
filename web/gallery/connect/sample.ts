/** A settings schema for the tests, with each kind of setting. */
export const schema = {
  required: ["token", "workspace_id"],
  properties: {
    batch: { title: "Batch size", description: "How many.", type: "integer", minimum: 10, maximum: 1000, default: 100 },
    comments: { title: "Import comments", description: "Whether.", type: "boolean", default: true },
    keys: { title: "Projects", description: "Which.", type: "array", items: { type: "string" }, examples: [["ENG", "OPS"]] },
    site: { title: "Site", description: "Where.", type: "string", format: "uri", "x-section": "credentials" },
    token: { title: "API token", description: "A token.", type: "string", writeOnly: true, "x-help": "https://example.com/token" },
    pem: { title: "Key file", description: "A file.", type: "string", writeOnly: true, contentMediaType: "application/x-pem-file", "x-help": "javascript:alert(1)" },
    workspace_id: { title: "Workspace ID", description: "A number.", type: "string", "x-section": "workspace", "x-choices": "workspaces" },
  },
};
