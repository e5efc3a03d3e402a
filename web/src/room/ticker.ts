/**
 * A worker that ticks thirty times a second: pages in the background get no such timer. The next tick waits until the page
 * has answered the last one, so that none pile up in a slow page.
 */
let answered = true;

addEventListener('message', () => {
  answered = true;
});

setInterval(() => {
  if (!answered) return;
  answered = false;
  postMessage(0);
}, 1000 / 30);
