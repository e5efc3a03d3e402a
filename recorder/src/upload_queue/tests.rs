use super::*;
use crate::recording::Rejection;

const SECOND: Duration = Duration::from_secs(1);

/// A queue, its clock, and a store that can be away.
struct World {
    queue: UploadQueue,
    now: MonotonicTime,
    asked: Vec<UploadOutput>,
}

impl World {
    fn new() -> Self {
        let policy = UploadPolicy::for_segments_of(Duration::from_secs(2));
        let mut world = Self {
            queue: UploadQueue::new(policy, 7),
            now: MonotonicTime(0),
            asked: Vec::new(),
        };
        world.add(ObjectName::Started);
        world
    }

    fn tell(&mut self, input: UploadInput) {
        self.queue.handle(self.now, input);
        while let Some(output) = self.queue.poll_output() {
            self.asked.push(output);
        }
    }

    fn add(&mut self, object: ObjectName) {
        self.tell(UploadInput::Added {
            object,
            bytes: 1_000_000,
            unconfirmed: false,
        });
    }

    fn close(&mut self) {
        let object = ObjectName::Ended;
        self.tell(UploadInput::Closed {
            object,
            bytes: 500,
            unconfirmed: false,
        });
    }

    fn taken(&mut self) -> Vec<UploadOutput> {
        std::mem::take(&mut self.asked)
    }

    /// Answers everything that is asked, until nothing is asked any more; returns all that was asked.
    fn answer_all(&mut self) -> Vec<UploadOutput> {
        let mut all = Vec::new();
        while !self.asked.is_empty() {
            for output in self.taken() {
                all.push(output);
                if let Some(object) = object_of(&output) {
                    self.tell(UploadInput::Stored(object));
                }
            }
        }
        all
    }
}

fn object_of(output: &UploadOutput) -> Option<ObjectName> {
    match *output {
        UploadOutput::Put(object) | UploadOutput::Confirm(object) => Some(object),
        UploadOutput::PutPlaylist { .. } => Some(ObjectName::Playlist),
        UploadOutput::PutMultivariant { .. } => Some(ObjectName::Multivariant),
        UploadOutput::Interrupted
        | UploadOutput::Recovered
        | UploadOutput::Rejected(_)
        | UploadOutput::Drained { .. } => None,
    }
}

fn put(i: u64) -> UploadOutput {
    UploadOutput::Put(ObjectName::Segment(i))
}

fn playlist(segments: u64, ended: bool) -> UploadOutput {
    UploadOutput::PutPlaylist { segments, ended }
}

#[test]
fn a_short_recording_is_stored_in_the_order_of_the_rules() {
    let mut world = World::new();
    world.add(ObjectName::Segment(0));
    assert_eq!(
        world.taken(),
        [UploadOutput::Put(ObjectName::Started)],
        "alone"
    );
    world.tell(UploadInput::Stored(ObjectName::Started));
    assert_eq!(world.taken(), [put(0)]);
    world.tell(UploadInput::Stored(ObjectName::Segment(0)));
    assert_eq!(
        world.answer_all(),
        [
            playlist(1, false),
            UploadOutput::PutMultivariant { ended: false }
        ]
    );
    world.add(ObjectName::Segment(1));
    world.close();
    assert_eq!(
        world.answer_all(),
        [
            put(1),
            playlist(2, true),
            UploadOutput::PutMultivariant { ended: true },
            UploadOutput::Put(ObjectName::Ended),
            UploadOutput::Drained { objects: 6 },
        ]
    );
}

#[test]
fn the_playlist_names_no_segment_behind_one_that_is_not_stored() {
    let mut world = World::new();
    world.answer_all();
    (0..3).for_each(|i| world.add(ObjectName::Segment(i)));
    assert_eq!(world.taken(), [put(0), put(1), put(2)]);
    world.tell(UploadInput::Stored(ObjectName::Segment(1)));
    world.tell(UploadInput::Stored(ObjectName::Segment(2)));
    assert_eq!(world.taken(), []);
    world.tell(UploadInput::Stored(ObjectName::Segment(0)));
    assert_eq!(world.taken(), [playlist(3, false)]);
}

#[test]
fn requests_and_bytes_at_the_same_time_are_bounded() {
    let mut world = World::new();
    world.answer_all();
    (0..9).for_each(|i| world.add(ObjectName::Segment(i)));
    assert_eq!(world.taken().len(), limits_in_flight());
    let mut world = World::new();
    world.answer_all();
    let bytes = crate::limits::UPLOAD_BYTES_IN_FLIGHT_MAX * 2;
    for i in 0..2 {
        let object = ObjectName::Segment(i);
        world.tell(UploadInput::Added {
            object,
            bytes,
            unconfirmed: false,
        });
    }
    assert_eq!(world.taken(), [put(0)], "one may exceed the budget, alone");
}

fn limits_in_flight() -> usize {
    crate::limits::UPLOADS_IN_FLIGHT_MAX
}

#[test]
fn a_put_of_unknown_outcome_is_confirmed_before_it_is_repeated() {
    let mut world = World::new();
    world.answer_all();
    world.add(ObjectName::Segment(0));
    assert_eq!(world.taken(), [put(0)]);
    world.tell(UploadInput::Failed(ObjectName::Segment(0)));
    assert_eq!(world.taken(), []);
    world.now = world.queue.poll_timeout().expect("it is tried again");
    world.tell(UploadInput::Timeout);
    assert_eq!(
        world.taken(),
        [UploadOutput::Confirm(ObjectName::Segment(0))]
    );
    world.tell(UploadInput::Absent(ObjectName::Segment(0)));
    assert_eq!(world.taken(), [put(0)]);
    world.tell(UploadInput::Stored(ObjectName::Segment(0)));
    assert_eq!(world.taken(), [playlist(1, false)]);
}

#[test]
fn waits_double_up_to_their_limit_and_end_exactly() {
    let mut world = World::new();
    let mut longest = Duration::ZERO;
    for failures in 1..=20 {
        world.tell(UploadInput::Failed(ObjectName::Started));
        let retry_at = world.queue.poll_timeout().expect("it is tried again");
        let delay = retry_at.since(world.now);
        let full = Duration::from_millis(500 << (failures - 1)).min(Duration::from_secs(30));
        assert!(
            delay >= full / 2 && delay <= full,
            "failure {failures}: {delay:?} of {full:?}"
        );
        longest = longest.max(delay);
        world.taken();
        world.now = MonotonicTime(retry_at.0 - 1);
        world.tell(UploadInput::Timeout);
        assert_eq!(world.taken(), []);
        world.now = retry_at;
        world.tell(UploadInput::Timeout);
        assert_eq!(world.taken(), [UploadOutput::Confirm(ObjectName::Started)]);
    }
    assert!(longest > Duration::from_secs(15));
}

#[test]
fn a_store_away_for_ten_minutes_interrupts_once_and_loses_nothing() {
    let mut world = World::new();
    world.answer_all();
    let mut seen = Vec::new();
    for second in 0..900u64 {
        world.now = world.now.plus(SECOND);
        if second % 2 == 0 {
            world.add(ObjectName::Segment(second / 2));
        }
        world.tell(UploadInput::Timeout);
        if (60..660).contains(&second) {
            for output in world.taken() {
                seen.push(output);
                if let Some(object) = object_of(&output) {
                    world.tell(UploadInput::Failed(object));
                }
            }
        } else {
            seen.extend(world.answer_all());
        }
    }
    world.close();
    seen.extend(world.answer_all());
    let count = |wanted: UploadOutput| seen.iter().filter(|output| **output == wanted).count();
    assert_eq!(count(UploadOutput::Interrupted), 1);
    assert_eq!(count(UploadOutput::Recovered), 1);
    assert_eq!(count(playlist(450, true)), 1);
    for i in 0..450 {
        assert_eq!(
            count(put(i)),
            1,
            "segment {i} is put once, then only confirmed"
        );
    }
    assert!(matches!(
        seen.last(),
        Some(UploadOutput::Drained { objects: 454 })
    ));
    let attempts = seen
        .iter()
        .filter(|output| matches!(output, UploadOutput::Confirm(_)))
        .count();
    assert!(attempts < 60, "{attempts} attempts in ten minutes");
}

#[test]
fn requests_that_fail_together_are_one_failure() {
    let mut world = World::new();
    world.answer_all();
    (0..4).for_each(|i| world.add(ObjectName::Segment(i)));
    world.taken();
    (0..4).for_each(|i| world.tell(UploadInput::Failed(ObjectName::Segment(i))));
    assert_eq!(world.taken(), [], "no interruption yet");
    world.now = world.queue.poll_timeout().expect("it is tried again");
    world.tell(UploadInput::Timeout);
    assert_eq!(
        world.taken(),
        [UploadOutput::Confirm(ObjectName::Segment(0))],
        "one probes"
    );
    world.tell(UploadInput::Failed(ObjectName::Segment(0)));
    assert_eq!(world.taken(), [UploadOutput::Interrupted]);
}

#[test]
fn after_an_hour_the_playlist_is_stored_every_ten_seconds_and_at_the_end() {
    let mut world = World::new();
    for i in 0..1800 {
        world.add(ObjectName::Segment(i));
        let asked = world.answer_all();
        assert_eq!(asked.contains(&playlist(i + 1, false)), i + 1 < 1800);
        world.now = world.now.plus(2 * SECOND);
    }
    let mut playlists = Vec::new();
    for i in 1800..1830 {
        world.add(ObjectName::Segment(i));
        let asked = world.answer_all();
        if asked
            .iter()
            .any(|output| matches!(output, UploadOutput::PutPlaylist { .. }))
        {
            playlists.push(world.now);
        }
        world.now = world.now.plus(2 * SECOND);
    }
    assert!(
        playlists
            .windows(2)
            .all(|pair| pair[1].since(pair[0]) == 10 * SECOND)
    );
    assert!(playlists.len() >= 5);
    world.close();
    assert!(world.answer_all().contains(&playlist(1830, true)));
}

#[test]
fn a_postponed_playlist_wakes_the_queue() {
    let mut world = World::new();
    world.queue.policy.eager_segments = 0;
    world.answer_all();
    world.add(ObjectName::Segment(0));
    world.answer_all();
    world.add(ObjectName::Segment(1));
    assert_eq!(world.answer_all(), [put(1)]);
    assert_eq!(
        world.queue.poll_timeout(),
        Some(MonotonicTime(0).plus(10 * SECOND))
    );
    world.now = world.now.plus(10 * SECOND);
    world.tell(UploadInput::Timeout);
    assert_eq!(world.taken(), [playlist(2, false)]);
}

#[test]
fn the_latest_thumbnail_skips_versions_that_nobody_saw() {
    let mut world = World::new();
    world.answer_all();
    (0..3).for_each(|_| world.tell(UploadInput::LatestThumbnail));
    let latest = UploadOutput::Put(ObjectName::LatestThumbnail);
    assert_eq!(world.answer_all(), [latest, latest]);
}

#[test]
fn a_refusal_stops_everything_and_is_told_once() {
    let mut world = World::new();
    world.tell(UploadInput::Refused(Rejection::AccessDenied));
    world.add(ObjectName::Segment(0));
    world.close();
    assert_eq!(
        world.taken(),
        [
            UploadOutput::Put(ObjectName::Started),
            UploadOutput::Rejected(Rejection::AccessDenied)
        ]
    );
    assert_eq!(world.queue.poll_timeout(), None);
}

#[test]
fn a_failed_closing_document_is_tried_again_without_reopening_the_playlist() {
    let mut world = World::new();
    world.answer_all();
    world.close();
    let closing = UploadOutput::Put(ObjectName::Ended);
    let mut asked = Vec::new();
    while asked.last() != Some(&closing) {
        for output in world.taken() {
            asked.push(output);
            if output != closing {
                world.tell(UploadInput::Stored(object_of(&output).expect("a request")));
            }
        }
    }
    world.tell(UploadInput::Failed(ObjectName::Ended));
    world.now = world.queue.poll_timeout().expect("it is tried again");
    world.tell(UploadInput::Timeout);
    assert_eq!(
        world.answer_all(),
        [
            UploadOutput::Confirm(ObjectName::Ended),
            UploadOutput::Drained { objects: 4 }
        ]
    );
}

#[test]
fn a_successor_confirms_what_its_predecessor_may_have_stored() {
    let mut world = World::new();
    world.queue = UploadQueue::new(world.queue.policy, 3);
    world.taken();
    world.tell(UploadInput::Restored(ObjectName::Started));
    world.tell(UploadInput::Restored(ObjectName::Segment(0)));
    world.tell(UploadInput::Restored(ObjectName::Segment(1)));
    assert_eq!(world.taken(), [], "the whole ledger comes first");
    let object = ObjectName::Segment(2);
    world.tell(UploadInput::Added {
        object,
        bytes: 1,
        unconfirmed: true,
    });
    let asked = world.answer_all();
    assert_eq!(asked[0], playlist(2, false));
    assert!(asked.contains(&UploadOutput::Confirm(object)) && !asked.contains(&put(2)));
}
