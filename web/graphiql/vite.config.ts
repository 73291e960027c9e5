import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// One configuration for each page: own root, base path and folder in dist/.
export default defineConfig({
  base: "/graphiql/",
  plugins: [react()],
  // Two copies of graphql in one bundle refuse each other's schemas.
  resolve: { dedupe: ["graphql", "react", "react-dom"] },
  worker: { format: "es" },
  build: {
    outDir: "../dist/graphiql",
    emptyOutDir: true,
    // The content security policy has no data: fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
    // Monaco is 3 MB and is loaded after the page has been painted.
    chunkSizeWarningLimit: 4096,
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      // GraphiQL makes its icons' titles out of their functions' names.
      output: { keepNames: true },
      onLog(level, log, report) {
        // GraphiQL marks modules for the React compiler; it has been over them already.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
    },
  },
  server: {
    proxy: { "/graphql": "http://127.0.0.1:8080", "/logos": "http://127.0.0.1:8080" },
  },
});
