/** A worker that ticks thirty times a second: pages in the background get no such timer. */
setInterval(() => postMessage(0), 1000 / 30);
