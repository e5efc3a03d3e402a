/** Publishing to and subscribing from a Proscenium stage; needs a participant token and its WHIP URL, nothing else. */

export { type VideoCodec } from './encodings';
export { type LinkState } from './peer-link';
export { SignalingError } from './signaling';
export { type SubscribeOptions, Subscription } from './subscribe';
export { type PublishOptions, Publisher } from './whip';
