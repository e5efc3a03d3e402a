/** A moving picture with a name and a clock, and a beep with a flash each second: for those without camera or microphone. */

import { hash, hue, initials } from './person';

const BEEP_SECONDS = 0.1;
const BEEP_GAIN = 0.25;
const SCALE_HZ = [262, 294, 330, 392, 440, 523, 587, 659, 784, 880];

export interface Pattern {
  stream: MediaStream;
  stop(): void;
}

/** Starts a pattern of this size in the name's own colour and pitch. */
export async function startPattern(name: string, width: number, height: number): Promise<Pattern> {
  const audio = new AudioContext({ sampleRate: 48_000 });
  const tone = startTone(audio, SCALE_HZ[hash(name) % SCALE_HZ.length] ?? 440);
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d', { alpha: false });
  if (context === null) throw new Error('this browser draws no canvas');
  const draw = () => drawPattern(context, name, tone.seconds());
  draw();
  const ticker = new Worker(new URL('./ticker.ts', import.meta.url), { type: 'module' });
  ticker.addEventListener('message', () => {
    draw();
    ticker.postMessage(0);
  });
  const stream = canvas.captureStream(30);
  for (const track of tone.stream.getTracks()) stream.addTrack(track);
  // Without a gesture of the user the sound may have to wait; the picture does not.
  void audio.resume();
  return {
    stream,
    stop() {
      ticker.terminate();
      for (const track of stream.getTracks()) track.stop();
      void audio.close();
    },
  };
}

function startTone(audio: AudioContext, hertz: number) {
  const second = audio.createBuffer(1, audio.sampleRate, audio.sampleRate);
  const samples = second.getChannelData(0);
  const beep = Math.round(BEEP_SECONDS * audio.sampleRate);
  for (let n = 0; n < beep; n += 1) {
    // Faded at both ends, so that it does not click.
    const envelope = Math.min(1, n / 240, (beep - n) / 240);
    samples[n] = BEEP_GAIN * envelope * Math.sin((2 * Math.PI * hertz * n) / audio.sampleRate);
  }
  const source = new AudioBufferSourceNode(audio, { buffer: second, loop: true });
  const output = audio.createMediaStreamDestination();
  source.connect(output);
  const start = audio.currentTime;
  source.start(start);
  return { stream: output.stream, seconds: () => audio.currentTime - start };
}

function drawPattern(context: CanvasRenderingContext2D, name: string, seconds: number): void {
  const { width, height } = context.canvas;
  const turn = hue(name);
  const flash = seconds % 1 < BEEP_SECONDS;
  const background = context.createLinearGradient(0, 0, width, height);
  background.addColorStop(0, `hsl(${turn} 45% ${flash ? 50 : 34}%)`);
  background.addColorStop(1, `hsl(${(turn + 40) % 360} 50% ${flash ? 36 : 20}%)`);
  context.fillStyle = background;
  context.fillRect(0, 0, width, height);
  drawHand(context, seconds);
  context.fillStyle = 'white';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.font = `600 ${height * 0.22}px system-ui, sans-serif`;
  context.fillText(initials(name), width / 2, height * 0.44);
  context.font = `500 ${height * 0.065}px system-ui, sans-serif`;
  context.fillText(name, width / 2, height * 0.8, width * 0.9);
  context.font = `${height * 0.055}px ui-monospace, monospace`;
  context.fillText(timecode(seconds), width / 2, height * 0.9);
}

/** A ring with a dot that goes round once in four seconds. */
function drawHand(context: CanvasRenderingContext2D, seconds: number): void {
  const { width, height } = context.canvas;
  const [x, y, radius] = [width / 2, height * 0.43, height * 0.27];
  const angle = (seconds / 4) * 2 * Math.PI - Math.PI / 2;
  context.strokeStyle = 'rgb(255 255 255 / 30%)';
  context.lineWidth = height * 0.012;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
  context.fillStyle = 'white';
  context.beginPath();
  context.arc(x + radius * Math.cos(angle), y + radius * Math.sin(angle), height * 0.028, 0, 2 * Math.PI);
  context.fill();
}

/** `m:ss.t` */
export function timecode(seconds: number): string {
  const tenths = Math.floor(Math.max(0, seconds) * 10);
  const whole = Math.floor(tenths / 10);
  const minutes = Math.floor(whole / 60);
  return `${minutes}:${String(whole % 60).padStart(2, '0')}.${tenths % 10}`;
}
