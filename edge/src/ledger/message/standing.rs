//! What is said of an account's conduct: strikes, bans, and what an administrator sees.

use serde::{Deserialize, Serialize};

use super::{Gauges, Known, Phase};

/// See [`super::Question::Strike`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strike {
    /// What was done.
    pub reason: Offence,
    /// What tells one deed from another; a repetition within the hour counts once.
    pub fingerprint: String,
    /// How many strikes ban.
    pub strikes_to_ban: u32,
    /// How long the first ban is.
    pub ban_s: u32,
}

/// What honest callers do not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offence {
    /// A token that no issuer makes: `alg: none`, key confusion, a key or its URL in the header, a
    /// member twice; counted against the client IP.
    ForgedToken,
    /// A file that claims to be what it is not.
    Disguise,
    /// A small file that would become a huge picture.
    Bomb,
    /// Going on and on after being told to wait.
    Flood,
    /// A wrong password; counted against the client IP.
    Guessing,
}

impl Offence {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ForgedToken, Self::Disguise, Self::Bomb, Self::Flood, Self::Guessing];

    /// As it stands in events and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForgedToken => "forged_token",
            Self::Disguise => "disguise",
            Self::Bomb => "bomb",
            Self::Flood => "flood",
            Self::Guessing => "guessing",
        }
    }

    /// How many deeds of this kind make one strike. Only wrong passwords are honest now and then, and
    /// many people may share an address.
    #[must_use]
    pub const fn deeds_a_strike(self) -> u32 {
        match self {
            Self::Guessing => 5,
            Self::ForgedToken | Self::Disguise | Self::Bomb | Self::Flood => 1,
        }
    }
}

/// How an account stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Strikes that still count.
    pub strikes: u32,
    /// Until when it is banned, if it is.
    pub banned_until_ms: Option<u64>,
    /// Why it is banned.
    pub ban_reason: Option<String>,
    /// Whether this very question banned it.
    pub newly_banned: bool,
}

/// See [`super::Question::Ban`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Until when.
    pub until_ms: u64,
    /// Why.
    pub reason: String,
    /// Who bans, for the record.
    pub by: String,
}

/// What an administrator sees of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// Strikes and ban.
    pub standing: Standing,
    /// The limits and what is left.
    pub gauges: Gauges,
    /// How many uploads are in each state.
    pub states: Vec<StateCount>,
    /// The uploads of last, newest first.
    pub latest: Vec<Known>,
}

/// How many uploads are in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCount {
    /// The state.
    pub state: Phase,
    /// How many.
    pub count: u32,
}
