//! From drbot's own card to serenity's builders.

use serenity::all::{
    ButtonStyle, Colour, CreateActionRow, CreateButton, CreateEmbed, CreateEmbedFooter, CreateInputText, CreateModal,
    InputTextStyle,
};

use crate::progress::{
    button::ButtonId,
    card::{Card, Style},
};

pub(super) fn embed(card: &Card) -> CreateEmbed {
    let mut embed =
        CreateEmbed::new().title(&card.title).description(&card.description).colour(Colour::new(card.colour));
    for field in &card.fields {
        embed = embed.field(&field.name, &field.value, field.inline);
    }
    if card.footer.is_empty() { embed } else { embed.footer(CreateEmbedFooter::new(&card.footer)) }
}

pub(super) fn buttons(card: &Card) -> Vec<CreateActionRow> {
    let row = |row: &Vec<crate::progress::card::Button>| {
        let buttons = row.iter().map(|button| {
            CreateButton::new(&button.id).label(&button.label).style(style(button.style)).disabled(button.disabled)
        });
        CreateActionRow::Buttons(buttons.collect())
    };
    card.buttons.iter().map(row).collect()
}

fn style(style: Style) -> ButtonStyle {
    match style {
        Style::Primary => ButtonStyle::Primary,
        Style::Secondary => ButtonStyle::Secondary,
        Style::Success => ButtonStyle::Success,
        Style::Danger => ButtonStyle::Danger,
    }
}

/// A modal with one line to fill in.
pub(super) fn modal(id: String, title: String, label: String, placeholder: String, long: bool) -> CreateModal {
    form(id, title, vec![input("text", label, long).placeholder(placeholder)])
}

/// A modal with several.
pub(super) fn form(id: String, title: String, inputs: Vec<CreateInputText>) -> CreateModal {
    CreateModal::new(id, title).components(inputs.into_iter().map(CreateActionRow::InputText).collect())
}

/// What has to be filled in.
pub(super) fn input(name: &str, label: String, long: bool) -> CreateInputText {
    let style = if long { InputTextStyle::Paragraph } else { InputTextStyle::Short };
    CreateInputText::new(style, label, name).required(true).max_length(500)
}

/// A button by itself, below a message.
pub(super) fn one_button(id: &ButtonId, label: String) -> Vec<CreateActionRow> {
    a_button(&id.to_string(), label)
}

pub(super) fn a_button(id: &str, label: String) -> Vec<CreateActionRow> {
    vec![CreateActionRow::Buttons(vec![CreateButton::new(id).label(label).style(ButtonStyle::Secondary)])]
}
