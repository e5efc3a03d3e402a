//! How many of what an account may have: the documented service quotas of both services, each of which `[limits.quotas]`
//! can change.

/// The largest value that a quota can be set to.
pub const QUOTA_MAX: u32 = 1_000_000_000;

macro_rules! quotas {
    ($($(#[$doc:meta])* $name:ident = $default:literal,)+) => {
        /// What the configuration allows; by default what AWS does.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct Quotas {
            $($(#[$doc])* pub $name: u32,)+
        }

        impl Default for Quotas {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Quotas {
            /// The quota of that name.
            pub fn by_name(&mut self, name: &str) -> Option<&mut u32> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)+
                    _ => None,
                }
            }
        }
    };
}

quotas! {
    /// Stages of an account.
    stages = 1000,
    /// Encoder configurations of an account.
    encoder_configurations = 20,
    /// Storage configurations of an account.
    storage_configurations = 5,
    /// Ingest configurations of an account.
    ingest_configurations = 100,
    /// Public keys of an account.
    public_keys = 3,
    /// Compositions of an account at a time.
    compositions = 20,
    /// Compositions of a stage at a time.
    compositions_per_stage = 5,
    /// Replications of a participant at a time.
    replications_per_participant = 5,
    /// Channels of an account.
    channels = 5000,
    /// Stream keys of a channel.
    stream_keys_per_channel = 1,
    /// Live streams of an account at a time.
    concurrent_streams = 100,
    /// Bits per second that a publisher may send.
    ingest_bitrate = 8_500_000,
    /// The same to a BASIC channel, of pictures up to 480p.
    ingest_bitrate_basic_480p = 1_500_000,
    /// The same to a BASIC channel, of larger pictures.
    ingest_bitrate_basic = 3_500_000,
    /// Pixels along the longer edge that a publisher may send.
    ingest_pixels_per_edge = 1920,
    /// Pixels of a picture that a publisher may send.
    ingest_total_pixels = 2_073_600,
    /// Viewers of all live streams of an account at a time.
    concurrent_viewers = 15_000,
    /// Playback key pairs of an account.
    playback_key_pairs = 3,
    /// Playback restriction policies of an account.
    playback_restriction_policies = 3,
    /// Countries in a playback restriction policy.
    countries_per_policy = 200,
    /// Origins in a playback restriction policy.
    origins_per_policy = 5,
    /// Recording configurations of an account.
    recording_configurations = 20,
    /// Ad configurations of an account.
    ad_configurations = 20,
    /// Failover slate configurations of an account; AWS does not say how many.
    failover_slate_configurations = 20,
}
