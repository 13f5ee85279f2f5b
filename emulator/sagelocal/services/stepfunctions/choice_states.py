"""Choice states: patches for missing variables, inputs that match no rule, and the `Assign` field of rules."""

from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_operator_type import (
    ComparisonOperatorType,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_variable import ComparisonVariable
from moto.stepfunctions.parser.asl.component.state.choice.comparison.variable import NoSuchVariable
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from sagelocal.core.patching import replace
from sagelocal.services.stepfunctions.state_failures import as_exception, failure


def install() -> None:
    """Install the patches into moto."""
    replace(ComparisonVariable, "_eval_body", compare, parameters=("env",))
    replace(StateChoice, "_eval_state", choose, parameters=("env",))
    replace(StateChoice, "_eval_state_output", transition, parameters=("env",))
    _keep_assignments_of_rules()


def compare(self: Any, env: Any) -> None:
    """Evaluate a comparison, and fail the execution if the variable is missing and the operator is not `IsPresent`."""
    self.variable.eval(env)
    present = not isinstance(env.stack[-1], NoSuchVariable)
    if not present and self.comparison_function.operator_type is not ComparisonOperatorType.IsPresent:
        path = self.variable.string_sampler.literal_value
        cause = f"Invalid path '{path}': The choice state's condition path references an invalid value."
        raise as_exception(failure(env, HistoryEventType.ExecutionFailed, error="States.Runtime", cause=cause))
    self.comparison_function.eval(env)


def choose(self: Any, env: Any) -> None:
    """Push a pair onto the stack: the next state's name, and whether a rule matched.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html, "Default".
    """
    for rule in self.choices_decl.rules:
        rule.eval(env)
        if env.stack.pop() is True:
            env.stack.append((rule.next_stmt.name, True))
            return
    if self.default_state is None:
        cause = f"No Choice rule of the state '{self.name}' matched, and the state has no Default"
        event = HistoryEventType.ExecutionFailed
        raise as_exception(failure(env, event, error="States.NoChoiceMatched", cause=cause))
    env.stack.append((self.default_state.state_name, False))


def transition(self: Any, env: Any) -> None:
    """Set the next state, and evaluate the state's own `Assign` and `Output` only if no rule matched."""
    name, matched = env.stack.pop()
    if not matched:
        for component in filter(None, (self.assign_decl, self.output)):
            component.eval(env=env)
    if self.output_path:
        self.output_path.eval(env=env)
    env.next_state_name = name


def _keep_assignments_of_rules() -> None:
    """Keep the `Assign` field of a JSONPath rule with a single comparison; moto drops this field."""

    def visit(self: Any, ctx: Any) -> Any:
        rule = original(self, ctx)
        declared = next(filter(None, (field.assign_decl() for field in ctx.comparison_variable_stmt())), None)
        if rule.assign is None and declared is not None:
            rule.assign = self.visit(declared)
        return rule

    original = replace(Preprocessor, "visitChoice_rule_comparison_variable", visit, parameters=("ctx",))
