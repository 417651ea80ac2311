//! The harness of the system tests: real processes, plain HTTP and the simulators' ledger. It imports nothing of ours, so that a
//! test can only say what an outside program could say (contract.md).

pub mod wait;
pub mod digest;
pub mod http;
pub mod binary;
pub mod process;
pub mod postgres;
pub mod far;
pub mod world;
pub mod levee;
pub mod payday;
pub mod files;
pub mod payer;
pub mod truth;
pub mod monkey;

pub use far::Far;
pub use http::{Answer, Http};
pub use levee::Levee;
pub use payday::Payday;
pub use payer::Payer;
pub use postgres::{Postgres, PrivateCluster};
pub use process::{Done, Folder, Process};
pub use wait::{parallel, until};
pub use world::{Kind, Setup, World};

/// One scenario, two tests: `sqlite::NAME` and `postgres::NAME`.
#[macro_export]
macro_rules! on_both {
    ($($scenario:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $scenario() {
                $crate::wait::timed(concat!("sqlite ", stringify!($scenario)), || super::$scenario($crate::Kind::Sqlite));
            })+
        }
        mod postgres {
            $(#[test]
            fn $scenario() {
                $crate::wait::timed(concat!("postgres ", stringify!($scenario)), || super::$scenario($crate::Kind::Postgres));
            })+
        }
    };
}
