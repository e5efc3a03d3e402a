// The AWS SDK for JavaScript as a client of both services; the server is the one that the suite started.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";

import {
  ChannelNotBroadcasting,
  CreateChannelCommand,
  DeleteChannelCommand,
  GetStreamCommand,
  IvsClient,
  ListStreamsCommand,
  paginateListChannels,
} from "@aws-sdk/client-ivs";
import {
  CreateEncoderConfigurationCommand,
  CreateParticipantTokenCommand,
  CreateStageCommand,
  DeleteEncoderConfigurationCommand,
  DeleteStageCommand,
  GetCompositionCommand,
  GetEncoderConfigurationCommand,
  GetParticipantCommand,
  GetStageCommand,
  GetStageSessionCommand,
  IVSRealTimeClient,
  ListCompositionsCommand,
  ListParticipantEventsCommand,
  ListParticipantsCommand,
  ListStageSessionsCommand,
  ListStagesCommand,
  ListTagsForResourceCommand,
  ResourceNotFoundException,
  StartCompositionCommand,
  StopCompositionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  ValidationException,
} from "@aws-sdk/client-ivs-realtime";

const WAIT_LIMIT_MS = 30_000;
const { ENDPOINT, BINARY } = process.env;
const config = {
  endpoint: ENDPOINT,
  region: "us-east-1",
  credentials: { accessKeyId: "PROSCENIUMDEV", secretAccessKey: "proscenium-development-secret" },
  maxAttempts: 1,
};
const realtime = new IVSRealTimeClient(config);
const ivs = new IvsClient(config);

/** Asks `condition` until it answers something true; bounded. */
async function waitFor(what, condition) {
  const deadline = Date.now() + WAIT_LIMIT_MS;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    assert.ok(Date.now() < deadline, `${what}: not within ${WAIT_LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** `proscenium publish` with the smallest picture; ended with the test. */
function publish(t, token) {
  const size = ["--size", "320x180", "--fps", "15", "--bitrate", "200000"];
  const child = spawn(BINARY, ["publish", "--whip", `${ENDPOINT}/whip`, "--token", token, ...size], { stdio: "ignore" });
  t.after(() => child.kill());
}

test("resources live from create to delete, errors are the SDK's own classes", async () => {
  const { stage } = await realtime.send(new CreateStageCommand({ name: "js", tags: { a: "1" } }));
  const read = await realtime.send(new GetStageCommand({ arn: stage.arn }));
  assert.deepEqual(read.stage.tags, { a: "1" });
  await realtime.send(new TagResourceCommand({ resourceArn: stage.arn, tags: { b: "2" } }));
  await realtime.send(new UntagResourceCommand({ resourceArn: stage.arn, tagKeys: ["a"] }));
  const { tags } = await realtime.send(new ListTagsForResourceCommand({ resourceArn: stage.arn }));
  assert.deepEqual(tags, { b: "2" });
  const { stages } = await realtime.send(new ListStagesCommand({ maxResults: 100 }));
  assert.ok(stages.some(({ arn }) => arn === stage.arn));
  await realtime.send(new DeleteStageCommand({ arn: stage.arn }));
  await assert.rejects(realtime.send(new GetStageCommand({ arn: stage.arn })), ResourceNotFoundException);
  await assert.rejects(realtime.send(new CreateStageCommand({ name: "a b" })), (error) => {
    assert.ok(error instanceof ValidationException);
    assert.match(error.message, /name.*a b/);
    return true;
  });

  const video = { width: 640, height: 360, framerate: 29.97, bitrate: 900_000 };
  const made = await realtime.send(new CreateEncoderConfigurationCommand({ video }));
  const { arn } = made.encoderConfiguration;
  const { encoderConfiguration } = await realtime.send(new GetEncoderConfigurationCommand({ arn }));
  assert.deepEqual(encoderConfiguration.video, video);
  await realtime.send(new DeleteEncoderConfigurationCommand({ arn }));
});

test("channels are paged, an offline one says so", async () => {
  const made = [];
  for (const name of ["one", "two", "three"]) {
    made.push((await ivs.send(new CreateChannelCommand({ name }))).channel.arn);
  }
  const found = [];
  for await (const page of paginateListChannels({ client: ivs, pageSize: 2 }, {})) {
    found.push(...page.channels.map(({ arn }) => arn));
  }
  assert.ok(made.every((arn) => found.includes(arn)));
  await assert.rejects(ivs.send(new GetStreamCommand({ channelArn: made[0] })), ChannelNotBroadcasting);
  for (const arn of made) await ivs.send(new DeleteChannelCommand({ arn }));
});

test("a published stage becomes a live channel and stops", async (t) => {
  const { stage } = await realtime.send(new CreateStageCommand({ name: "live" }));
  const { participantToken } = await realtime.send(
    new CreateParticipantTokenCommand({ stageArn: stage.arn, userId: "ada", attributes: { role: "host" } }),
  );
  assert.ok(participantToken.expirationTime instanceof Date);
  publish(t, participantToken.token);
  const stageArn = stage.arn;
  const sessionId = await waitFor("a session", async () => {
    const { stageSessions } = await realtime.send(new ListStageSessionsCommand({ stageArn }));
    return stageSessions[0]?.sessionId;
  });
  const { stageSession } = await realtime.send(new GetStageSessionCommand({ stageArn, sessionId }));
  assert.ok(stageSession.startTime instanceof Date && stageSession.endTime === undefined);
  const participantId = await waitFor("a publisher", async () => {
    const query = { stageArn, sessionId, filterByPublished: true };
    const { participants } = await realtime.send(new ListParticipantsCommand(query));
    return participants[0]?.participantId;
  });
  const who = { stageArn, sessionId, participantId };
  const { participant } = await realtime.send(new GetParticipantCommand(who));
  assert.equal(participant.userId, "ada");
  assert.equal(participant.attributes.role, "host");
  const { events } = await realtime.send(new ListParticipantEventsCommand(who));
  assert.ok(events.some(({ name }) => name === "JOINED"));

  const video = { width: 320, height: 180, framerate: 15, bitrate: 200_000 };
  const encoder = (await realtime.send(new CreateEncoderConfigurationCommand({ video }))).encoderConfiguration.arn;
  const channelArn = (await ivs.send(new CreateChannelCommand({ name: "live" }))).channel.arn;
  const { composition } = await realtime.send(
    new StartCompositionCommand({
      stageArn,
      layout: { grid: { gridGap: 8 } },
      destinations: [{ channel: { channelArn, encoderConfigurationArn: encoder } }],
    }),
  );
  const { arn } = composition;
  const inState = (wanted) => async () =>
    (await realtime.send(new GetCompositionCommand({ arn }))).composition.state === wanted;
  await waitFor("ACTIVE", inState("ACTIVE"));
  const { stream } = await waitFor("a stream", () =>
    ivs.send(new GetStreamCommand({ channelArn })).catch((error) => {
      assert.ok(error instanceof ChannelNotBroadcasting);
    }),
  );
  assert.equal(stream.state, "LIVE");
  assert.ok(stream.startTime instanceof Date);
  const { streams } = await ivs.send(new ListStreamsCommand({}));
  assert.ok(streams.some((one) => one.channelArn === channelArn));
  await realtime.send(new StopCompositionCommand({ arn }));
  await waitFor("STOPPED", inState("STOPPED"));
  const listed = await realtime.send(new ListCompositionsCommand({ filterByStageArn: stageArn }));
  assert.deepEqual(listed.compositions.map((one) => one.arn), [arn]);
});
