import { defineConfig } from 'vite';

export default defineConfig({
  // The build without subtitles, DRM and alternate audio, none of which the server sends.
  resolve: { alias: { 'hls.js': 'hls.js/light' } },
  build: {
    target: 'es2022',
    // No file of the page is inlined as a data: URL, and no script inline: the server's policy forbids both.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // hls.js is a chunk of its own, loaded when something plays.
    chunkSizeWarningLimit: 600,
  },
});
