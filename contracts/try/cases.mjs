// A case either works or is refused for the reason that it names; one line each.
import { viem } from "./stock.mjs";

export let failures = 0;
export const equal = (is, should) => {
  const text = (value) => JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}` : part));
  if (text(is) !== text(should)) throw new Error(`${text(is)} is not ${text(should)}`);
};
const report = (name, problem) => {
  if (problem) failures++;
  console.log(problem ? `FAILED  ${name}: ${problem}` : `ok      ${name}`);
};
export const works = async (name, act) => {
  try {
    await act();
    report(name);
  } catch (error) {
    report(name, error.shortMessage ? `${error.shortMessage} ${reasonOf(error)}` : error.message);
  }
};
/// The act has to be refused for this reason: an error of a contract, or an error code of the SDK.
export const refused = async (name, reason, act) => {
  let is;
  try {
    const answer = await act();
    is = answer?.isValid === false ? answer.invalidReason : answer?.success === false ? answer.errorReason : "nothing";
  } catch (error) {
    is = reasonOf(error);
  }
  // The SDK appends viem's words to the code of a failed transaction.
  report(`${name} (${reason})`, is === reason || is.startsWith(`${reason}:`) ? undefined : `refused for ${is}`);
};
export const reasonOf = (error) => {
  const revert = error.walk?.((cause) => cause instanceof viem.ContractFunctionRevertedError);
  return revert?.data?.errorName === "Error"
    ? revert.reason
    : (revert?.data?.errorName ?? revert?.reason ?? error.message);
};
