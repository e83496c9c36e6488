/**
 * Prints `passed failed skipped` from vitest's JSON report: `node count-tests.mjs <report> <exit code>`.
 * A file that could not be loaded counts as a failed test, and so does a run that failed, left no report
 * or ran nothing, where no test says so itself.
 */
import { readFileSync } from 'node:fs'

const [file = '', exitCode] = process.argv.slice(2)

/**
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {{ status: string, assertionResults: { status: string }[] }[]} testResults
 */

function readReport() {
  try {
    /** @type {Report} */
    const report = JSON.parse(readFileSync(file, 'utf8'))
    const unloaded = report.testResults.filter(
      (suite) => suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed'),
    )
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + unloaded.length,
      skipped: report.numPendingTests + report.numTodoTests,
    }
  } catch (error) {
    console.error('no test report:', error)
    return { passed: 0, failed: 0, skipped: 0 }
  }
}

const { passed, failed, skipped } = readReport()
const silentFailure = failed === 0 && (exitCode !== '0' || passed === 0)
console.log(passed, silentFailure ? 1 : failed, skipped)
