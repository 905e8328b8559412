//! One account of uploads for each user and each address: limits, strikes and bans, and every upload
//! from its admission until it is registered, claimed or gone. This file is the port through which
//! the rest of the Worker asks; an account that cannot be asked admits nothing.

mod account;
mod book;
mod bucket;
pub mod desk;
mod entry;
mod guesses;
#[cfg(test)]
pub mod memory;
pub mod message;
#[cfg(test)]
mod model;
mod quota;
pub mod shelf;
mod standing;
#[cfg(test)]
mod tests;
mod text;

use crate::{auth::UserId, storage::ObjectKey};
pub use account::{Account, ClientIp};
pub use entry::Entry;
use message::{
    Admission, Admit, Ban, Claim, Claimed, Commit, Commitment, Enter, Entrance, Known, Question,
    Release, Removal, Reply, Sight, Standing, Strike, Terms,
};

/// The ledger could not be asked, so nothing is admitted.
#[derive(Debug)]
pub enum LedgerFault {
    /// It did not answer, with the platform's words.
    Unreachable(String),
    /// It answered with a failure of its own.
    Failed {
        /// The status.
        status: u16,
        /// Its words.
        cause: String,
    },
    /// It answered what was not asked.
    Beside,
}

/// All accounts, each of which answers one question after the other.
pub trait Ledger {
    /// Asks an account.
    fn ask(
        &self,
        account: &Account,
        question: Question,
    ) -> impl Future<Output = Result<Reply, LedgerFault>>;

    /// Whether ledgers answer from their own storage.
    fn probe(&self) -> impl Future<Output = Result<(), LedgerFault>>;

    /// Counts one request against an account, and says whether it may pass.
    fn enter(
        &self,
        account: &Account,
        enter: Enter,
    ) -> impl Future<Output = Result<Entrance, LedgerFault>> {
        async move {
            match self.ask(account, Question::Enter(enter)).await? {
                Reply::Entry(entrance) => Ok(entrance),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// One upload more; before its body is read.
    fn admit(
        &self,
        owner: &UserId,
        admit: Admit,
    ) -> impl Future<Output = Result<Admission, LedgerFault>> {
        async move {
            match self.ask(&Account::User(owner.clone()), Question::Admit(admit)).await? {
                Reply::Admission(admission) => Ok(admission),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// The object of an admitted upload was stored.
    fn commit(
        &self,
        owner: &UserId,
        commit: Commit,
    ) -> impl Future<Output = Result<Commitment, LedgerFault>> {
        async move {
            match self.ask(&Account::User(owner.clone()), Question::Commit(commit)).await? {
                Reply::Commitment(commitment) => Ok(commitment),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// An admitted upload came to nothing.
    fn release(
        &self,
        owner: &UserId,
        release: Release,
    ) -> impl Future<Output = Result<(), LedgerFault>> {
        async move {
            match self.ask(&Account::User(owner.clone()), Question::Release(release)).await? {
                Reply::Done => Ok(()),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// Somebody did what honest callers do not.
    fn strike(
        &self,
        account: &Account,
        strike: Strike,
    ) -> impl Future<Output = Result<Standing, LedgerFault>> {
        async move { standing(self.ask(account, Question::Strike(strike)).await?) }
    }

    /// One attempt more at the password of an account; how many seconds it has to wait, if it has.
    fn attempt(&self, account: &Account) -> impl Future<Output = Result<Option<u32>, LedgerFault>> {
        async move {
            match self.ask(account, Question::Attempt).await? {
                Reply::Attempt { wait_s } => Ok(wait_s),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// The password was right.
    fn trust(&self, account: &Account) -> impl Future<Output = Result<(), LedgerFault>> {
        async move {
            match self.ask(account, Question::Trust).await? {
                Reply::Done => Ok(()),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// A pending picture of `owner` is to be kept; `owner` is whom its key names.
    fn claim(
        &self,
        owner: &UserId,
        claim: Claim,
    ) -> impl Future<Output = Result<Claimed, LedgerFault>> {
        async move {
            match self.ask(&Account::User(owner.clone()), Question::Claim(claim)).await? {
                Reply::Claimed(claimed) => Ok(claimed),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// A picture is to go, known here or registered long ago; `owner` is whom its key names.
    fn remove(
        &self,
        owner: &UserId,
        key: ObjectKey,
    ) -> impl Future<Output = Result<Removal, LedgerFault>> {
        async move {
            match self.ask(&Account::User(owner.clone()), Question::Remove { key }).await? {
                Reply::Removal(removal) => Ok(removal),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// Shuts an account out until a time.
    fn ban(
        &self,
        account: &Account,
        ban: Ban,
    ) -> impl Future<Output = Result<Standing, LedgerFault>> {
        async move { standing(self.ask(account, Question::Ban(ban)).await?) }
    }

    /// The strikes and the ban of an account; nothing is counted.
    fn standing(&self, account: &Account) -> impl Future<Output = Result<Standing, LedgerFault>> {
        async move { standing(self.ask(account, Question::Standing).await?) }
    }

    /// Lets an account in again and forgets its strikes.
    fn lift(&self, account: &Account, by: String) -> impl Future<Output = Result<(), LedgerFault>> {
        async move {
            match self.ask(account, Question::Lift { by }).await? {
                Reply::Done => Ok(()),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// What an administrator sees of an account.
    fn look(
        &self,
        account: &Account,
        terms: Terms,
    ) -> impl Future<Output = Result<Sight, LedgerFault>> {
        async move {
            match self.ask(account, Question::Look { terms }).await? {
                Reply::Sight(sight) => Ok(sight),
                _ => Err(LedgerFault::Beside),
            }
        }
    }

    /// Which of these are in flight, pending or kept in the account of `owner`.
    fn knows(
        &self,
        owner: &UserId,
        keys: Vec<String>,
    ) -> impl Future<Output = Result<Vec<Known>, LedgerFault>> {
        async move {
            match self.ask(&Account::User(owner.clone()), Question::Knows { keys }).await? {
                Reply::Known(known) => Ok(known),
                _ => Err(LedgerFault::Beside),
            }
        }
    }
}

fn standing(reply: Reply) -> Result<Standing, LedgerFault> {
    match reply {
        Reply::Standing(standing) => Ok(standing),
        _ => Err(LedgerFault::Beside),
    }
}
