//! Giving way: where a guest has had its turn, and the engine does not see it.

use std::future::poll_fn;
use std::task::Poll;

use async_trait::async_trait;
use wasmtime::{CallHook, CallHookHandler, StoreContextMut};

use crate::meter::Guest;

/// Lets others have a turn.
pub(crate) async fn give_way() {
    let mut given = false;
    poll_fn(|context| match std::mem::replace(&mut given, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// Has a guest give way where the host has worked for it as long as a turn is. The engine has it do so for its own work alone,
/// and a guest that does nothing but ask for random bytes burns next to none of that.
pub(crate) struct HostTurns;

#[async_trait]
impl CallHookHandler<Guest> for HostTurns {
    async fn handle_call_event(
        &self,
        mut store: StoreContextMut<'_, Guest>,
        event: CallHook,
    ) -> wasmtime::Result<()> {
        if matches!(event, CallHook::ReturningFromHost)
            && store.data_mut().host.as_mut().is_some_and(|host| host.work.is_time())
        {
            give_way().await;
        }
        Ok(())
    }
}
