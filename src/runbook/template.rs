//! placeholder until the loader lands
use super::action::Action;
use serde_json::Value;
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);
pub fn holds(expression: &str, context: &Value) -> Result<bool, TemplateError> { Ok(eval(expression, context)?.as_bool().unwrap_or(false)) }
pub fn eval(expression: &str, context: &Value) -> Result<Value, TemplateError> {
    let mut env = minijinja::Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let e = env.compile_expression(expression).map_err(|e| TemplateError(e.to_string()))?;
    let v = e.eval(minijinja::Value::from(minijinja::value::Serde(context))).map_err(|e| TemplateError(e.to_string()))?;
    serde_json::to_value(v).map_err(|e| TemplateError(e.to_string()))
}
pub fn render_text(text: &str, context: &Value) -> Result<String, TemplateError> {
    let mut env = minijinja::Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    env.render_str(text, minijinja::Value::from(minijinja::value::Serde(context))).map_err(|e| TemplateError(e.to_string()))
}
pub fn render_action(action: &Action, _context: &Value) -> Result<Action, TemplateError> { Ok(action.clone()) }
