import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv } from "vite";

const server = loadEnv("", ".", "PATCHBAY_").PATCHBAY_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/",
  plugins: [react()],
  resolve: { dedupe: ["react", "react-dom"] },
  build: {
    outDir: "../dist/gallery",
    emptyOutDir: true,
    // The content security policy has no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1024, // web_test.go bounds what is loaded first, compressed
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      onLog(level, log, report) {
        // Mantine marks every module as the client's, which all of them are here.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
    },
  },
  server: {
    proxy: {
      // Not /graphql.ts.
      "^/graphql$": { target: server, ws: true },
      "^/(graphiql|logos|sign-in|sign-out)\\b": { target: server },
    },
  },
});
