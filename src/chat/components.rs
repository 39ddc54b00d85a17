//! Buttons and the modals behind them. A click that needs words opens a modal, which must be the first answer to it;
//! everything else is acknowledged, and answered to the one who clicked.

use serenity::all::{ActionRowComponent, ComponentInteraction, CreateInteractionResponse, InputText, ModalInteraction};

use super::{Desk, handler::caller, incidents, own, render, slip::Slip};
use crate::{
    access::{self, Caller},
    engine::{AnswerError, Engine, Request, Submitted},
    ids::RunId,
    progress::{
        button::{ButtonId, ModalId},
        contact::ContactButton,
        incident::{CloseForm, IncidentButton},
        words,
    },
    refusals::{answer_error, refusal, request_error, review_error},
    run::glass::SHORTEST_REASON,
};

/// The fields of the form that breaks the glass.
const WORD: &str = "word";
const REASON: &str = "reason";
/// So many characters at least.
const REASON_AT_LEAST: u16 = 15;
const _: () = assert!(REASON_AT_LEAST as usize == SHORTEST_REASON);

pub(super) async fn clicked(desk: &Desk, click: ComponentInteraction) {
    let who = caller(&click.user, click.member.as_ref(), click.channel_id, click.channel.as_ref());
    let slip = Slip {
        id: click.id.get(),
        application: click.application_id.get(),
        token: click.token.clone(),
        channel: click.channel_id.get(),
        name: who.person.name.clone(),
    };
    if let Some(button) = IncidentButton::parse(&click.data.custom_id) {
        return Box::pin(incidents::clicked(desk, &slip, &who, &button, &click.id.to_string())).await;
    }
    if let Some(button) = ContactButton::parse(&click.data.custom_id) {
        return Box::pin(own::contacts::clicked(desk, &slip, &who, &button, &click.id.to_string())).await;
    }
    let Some(button) = ButtonId::parse(&click.data.custom_id) else {
        return slip.say(desk, &words::stale_button()).await;
    };
    match respond(&desk.engine, &who, &button, &click.id.to_string()).await {
        // Delivered twice: the first one is answered.
        Reply::Say(text) if text.is_empty() => {}
        Reply::Say(text) => slip.say(desk, &text).await,
        Reply::Modal(modal) => {
            let form = serde_json::to_value(CreateInteractionResponse::Modal(modal)).unwrap_or_default();
            if !slip.respond(desk, form).await {
                slip.say_in_channel(desk, &words::press_again()).await;
            }
        }
    }
}

enum Reply {
    Say(String),
    Modal(serenity::all::CreateModal),
}

async fn respond(engine: &Engine, who: &Caller, button: &ButtonId, interaction: &str) -> Reply {
    match button {
        ButtonId::Approve { run, token } => match engine.may_approve(*run, who, token).await {
            Ok(asked) => match asked.confirm {
                Some(confirm) => Reply::Modal(render::modal(
                    ModalId::ConfirmApproval { run: *run, token: token.clone() }.to_string(),
                    words::confirm_title(),
                    words::confirm_label(&confirm),
                    words::confirm_placeholder(&confirm),
                    false,
                )),
                None => Reply::Say(once(engine, interaction, approve(engine, who, *run, token, None)).await),
            },
            Err(error) => Reply::Say(answer_error(&error)),
        },
        ButtonId::Deny { run, token } => match engine.may_deny(*run, who, token).await {
            Ok(()) => Reply::Modal(render::modal(
                ModalId::DenyReason { run: *run, token: token.clone() }.to_string(),
                words::deny_title(),
                words::reason_label(),
                String::new(),
                true,
            )),
            Err(error) => Reply::Say(answer_error(&error)),
        },
        ButtonId::Answer { run, token, index } => match engine.needs_reason(*run, who, token, *index).await {
            Ok(true) => Reply::Modal(render::modal(
                ModalId::SkipReason { run: *run, token: token.clone(), index: *index }.to_string(),
                words::skip_title(),
                words::reason_label(),
                String::new(),
                true,
            )),
            Ok(false) => {
                let answer = async { said(engine.answer(*run, who, token, *index, None).await, words::answered) };
                Reply::Say(once(engine, interaction, answer).await)
            }
            Err(error) => Reply::Say(answer_error(&error)),
        },
        ButtonId::Stop { run } => match engine.may_steer(*run, who).await {
            Ok(()) => Reply::Modal(render::modal(
                ModalId::StopReason { run: *run }.to_string(),
                words::stop_title(),
                words::reason_label(),
                String::new(),
                true,
            )),
            Err(error) => Reply::Say(answer_error(&error)),
        },
        ButtonId::Withdraw { run, token } => {
            let work = async { said(engine.withdraw(*run, who, token).await, words::withdrawn) };
            Reply::Say(once(engine, interaction, work).await)
        }
        ButtonId::AskAgain { run, .. } => {
            let work = async { said(engine.ask_again(*run, who).await, words::asked_again) };
            Reply::Say(once(engine, interaction, work).await)
        }
        ButtonId::BreakGlass { run, token } => match engine.may_break_glass(*run, who, token).await {
            Ok(word) => Reply::Modal(render::form(
                ModalId::BreakGlass { run: *run, token: token.clone() }.to_string(),
                words::break_glass_title(),
                vec![
                    render::input(WORD, words::break_glass_word_label(&word), false)
                        .placeholder(words::confirm_placeholder(&word)),
                    render::input(REASON, words::break_glass_reason_label(), true).min_length(REASON_AT_LEAST),
                ],
            )),
            Err(error) => Reply::Say(answer_error(&error)),
        },
        ButtonId::Review { run } => match engine.may_review(*run, who).await {
            Ok(()) => Reply::Modal(render::modal(
                ModalId::Review { run: *run }.to_string(),
                words::review_title(),
                words::review_note_label(),
                String::new(),
                true,
            )),
            Err(error) => Reply::Say(review_error(engine, &error)),
        },
        ButtonId::Offer { command, .. } => Reply::Say(offer(engine, who, command, interaction).await),
        ButtonId::Plan { run } => Reply::Say(plan(engine, who, *run).await),
    }
}

pub(super) async fn submitted(desk: &Desk, modal: ModalInteraction) {
    let engine = &desk.engine;
    let who = caller(&modal.user, modal.member.as_ref(), modal.channel_id, modal.channel.as_ref());
    let slip = Slip {
        id: modal.id.get(),
        application: modal.application_id.get(),
        token: modal.token.clone(),
        channel: modal.channel_id.get(),
        name: who.person.name.clone(),
    };
    slip.acknowledge(desk).await;
    let typed = text_of(&modal);
    let interaction = modal.id.to_string();
    if let Some(form) = CloseForm::parse(&modal.data.custom_id) {
        let text = once(engine, &interaction, incidents::close(engine, &who, form, &typed)).await;
        return incidents::answer(desk, &slip, &text).await;
    }
    let text = match ModalId::parse(&modal.data.custom_id) {
        Some(ModalId::ConfirmApproval { run, token }) => {
            once(engine, &interaction, approve(engine, &who, run, &token, Some(&typed))).await
        }
        Some(ModalId::DenyReason { run, token }) => {
            let work = async { said(engine.deny(run, &who, &token, &typed).await, words::denied) };
            once(engine, &interaction, work).await
        }
        Some(ModalId::SkipReason { run, token, index }) => {
            let work = async { said(engine.answer(run, &who, &token, index, Some(&typed)).await, words::answered) };
            once(engine, &interaction, work).await
        }
        Some(ModalId::StopReason { run }) => {
            let work = async { said(engine.stop_run(run, &who, Some(&typed)).await, words::stopping_run) };
            once(engine, &interaction, work).await
        }
        Some(ModalId::BreakGlass { run, token }) => {
            let (word, reason) = (field(&modal, WORD), field(&modal, REASON));
            let work =
                async { said(engine.break_glass(run, &who, &token, &word, &reason).await, words::glass_is_broken) };
            once(engine, &interaction, work).await
        }
        Some(ModalId::Review { run }) => {
            let work = async {
                match engine.review(run, &who, &typed).await {
                    Ok(_) => words::review_done(),
                    Err(error) => review_error(engine, &error),
                }
            };
            once(engine, &interaction, work).await
        }
        None => words::stale_button(),
    };
    if text.is_empty() {
        return;
    }
    if !slip.fill_in(desk, &text).await {
        slip.say_in_channel(desk, &text).await;
    }
}

/// Acts on an interaction at most once, however often it is delivered. An empty text means that it was here before.
pub(super) async fn once(engine: &Engine, interaction: &str, work: impl Future<Output = String>) -> String {
    match engine.store().receive(interaction, engine.clock().now()).await {
        Ok(true) => work.await,
        Ok(false) => String::new(),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}

async fn approve(engine: &Engine, who: &Caller, run: RunId, token: &str, typed: Option<&str>) -> String {
    match engine.approve(run, who, token, typed).await {
        Ok(missing) => words::approved(missing),
        Err(error) => answer_error(&error),
    }
}

fn said(result: Result<(), AnswerError>, good: fn() -> String) -> String {
    match result {
        Ok(()) => good(),
        Err(error) => answer_error(&error),
    }
}

/// Starts the command that a card or an incident's post offers, as if it had been typed.
pub(super) async fn offer(engine: &Engine, who: &Caller, command: &str, interaction: &str) -> String {
    let request = Request {
        key: interaction.to_owned(),
        command: command.to_owned(),
        options: std::collections::BTreeMap::new(),
        caller: who.clone(),
    };
    match engine.submit(request).await {
        Ok(Submitted::Started(run)) => words::started(command, &run.short()),
        Ok(Submitted::AlreadyStarted(_)) => String::new(),
        Err(error) => request_error(engine, command, &error),
    }
}

/// The whole plan that is to be approved, for whoever may start or approve the command.
async fn plan(engine: &Engine, who: &Caller, run: RunId) -> String {
    match engine.snapshot(run).await {
        Ok(Some(snapshot)) => match access::steer(&engine.configuration().settings, &snapshot.state, who) {
            Ok(()) => words::plan(&snapshot.state),
            Err(refused) => refusal(&snapshot.state.created.command.name, &refused),
        },
        _ => words::run_ended(),
    }
}

fn text_of(modal: &ModalInteraction) -> String {
    inputs(modal).filter_map(|input| input.value.clone()).collect::<Vec<_>>().join("\n")
}

/// What was typed into one of several.
fn field(modal: &ModalInteraction, name: &str) -> String {
    inputs(modal).find(|input| input.custom_id == name).and_then(|input| input.value.clone()).unwrap_or_default()
}

fn inputs(modal: &ModalInteraction) -> impl Iterator<Item = &InputText> {
    let components = modal.data.components.iter().flat_map(|row| &row.components);
    components.filter_map(|component| match component {
        ActionRowComponent::InputText(input) => Some(input),
        _ => None,
    })
}
