import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const engine = process.env['R3EDGE_ENGINE'] ?? 'http://127.0.0.1:8000';

export default defineConfig({
  // Relative, so that the console works below any path; the page's <base> says where that is.
  base: './',
  plugins: [react()],
  server: {
    proxy: {
      '/graphql': { target: engine, ws: true, changeOrigin: true },
      '/exports': engine,
      '/tax-exports': engine,
    },
  },
  build: {
    outDir: '../infra/web/console/static',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    reportCompressedSize: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    chunkSizeWarningLimit: 700,
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'] },
});
