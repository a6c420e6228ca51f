import { defineConfig } from "vite";

// The page is served at the root of the service, or under whatever path a proxy puts it at: its addresses are relative.
export default defineConfig({
  base: "./",
  worker: { format: "es" },
  build: {
    outDir: "dist/viewer",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false }, // it is an inline script
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      output: {
        entryFileNames: "assets/[name]-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
});
