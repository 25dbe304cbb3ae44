// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Parameter, ProtocolParameters} from "./ProtocolParameters.sol";
import {Role, Staking} from "./Staking.sol";

/// @notice Where an accusation stands. The last four are final.
enum Status {
    None,
    Open,
    Upheld,
    Appealed,
    Slashed,
    Dismissed,
    Overturned,
    Expired
}

/// @notice One accusation.
/// @param fractionBps What would be slashed, of all that is staked on the accused.
/// @param deadline When the state that it is in ends: see `accuse`, `uphold` and `appeal`.
/// @param bond What accuser, and in an appeal the accused, put down, in base units.
/// @param evidence The hash of the evidence, which anybody can recompute.
struct Case {
    Role role;
    address accused;
    address accuser;
    uint16 fractionBps;
    Status status;
    uint64 deadline;
    uint256 bond;
    bytes32 evidence;
}

/// @title Accusations, disputes and appeals
/// @notice Anybody may accuse with a bond. The accused has the dispute window to answer; only then may verification
/// uphold the accusation, and only when the window of appeal has passed, or governance has decided, is anything
/// slashed. From the accusation until the end nothing of the accused's stake is released. A dismissed accuser pays
/// the accused with the bond.
contract Slashing is AccessControl {
    using SafeERC20 for IERC20;

    /// @notice May uphold and dismiss accusations.
    bytes32 public constant VERIFIER_ROLE = keccak256("VERIFIER_ROLE");

    /// @notice The token of the bonds.
    IERC20 public immutable token;
    /// @notice Where stakes are.
    Staking public immutable staking;
    /// @notice Where windows, bond and bounds are set.
    ProtocolParameters public immutable parameters;
    /// @notice Receives the bonds of lost appeals.
    address public immutable treasury;

    Case[] private _cases;
    uint256 private _bonds;

    /// @notice An accusation was made.
    event Accused(
        uint256 indexed id,
        Role indexed role,
        address indexed accused,
        address accuser,
        uint256 fractionBps,
        bytes32 evidence,
        uint256 bond,
        uint64 disputeEndsAt
    );
    /// @notice The accused answered; `rebuttal` is the hash of the answer.
    event Answered(uint256 indexed id, bytes32 rebuttal);
    /// @notice Verification holds the accusation to be right.
    event Upheld(uint256 indexed id, uint64 appealEndsAt);
    /// @notice The accused appealed to governance.
    event Appealed(uint256 indexed id, uint256 bond, uint64 decidedBy);
    /// @notice A case has ended; `slashed` base units were taken.
    event Closed(uint256 indexed id, Status status, uint256 slashed);

    /// @notice There is no such case.
    error UnknownCase(uint256 id, uint256 count);
    /// @notice The case is not in the state that this needs.
    error WrongStatus(uint256 id, Status status);
    /// @notice Too early: the window ends at `until`.
    error WindowOpen(uint256 id, uint64 until);
    /// @notice Too late: the window ended at `since`.
    error WindowClosed(uint256 id, uint64 since);
    /// @notice Only the accused may do this.
    error NotAccused(uint256 id, address caller);
    /// @notice A slash must take something, and at most the bound.
    error FractionOutOfBounds(uint256 fractionBps, uint256 most);
    /// @notice Nothing is staked on the accused.
    error NothingAtStake(Role role, address accused);
    /// @notice An accusation needs evidence.
    error NoEvidence();

    /// @param admin Who decides appeals and grants roles: the timelock.
    /// @param verifier Who may uphold and dismiss: the platform's verification.
    constructor(
        IERC20 token_,
        Staking staking_,
        ProtocolParameters parameters_,
        address treasury_,
        address admin,
        address verifier
    ) {
        (token, staking, parameters, treasury) = (token_, staking_, parameters_, treasury_);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(VERIFIER_ROLE, verifier);
    }

    /// @notice Accuses a provider, with a bond that is lost to the accused if the accusation is dismissed. The dispute
    /// window begins.
    /// @return id The number of the case.
    function accuse(Role role, address accused, uint16 fractionBps, bytes32 evidence) external returns (uint256 id) {
        uint256 most = parameters.get(Parameter.MaxSlashBps);
        if (fractionBps == 0 || fractionBps > most) revert FractionOutOfBounds(fractionBps, most);
        if (evidence == 0) revert NoEvidence();
        uint256 bond = parameters.get(Parameter.AccusationBond);
        uint64 disputeEndsAt = _after(Parameter.DisputeWindowSeconds);
        id = _cases.length;
        _cases.push(
            Case({
                role: role,
                accused: accused,
                accuser: msg.sender,
                fractionBps: fractionBps,
                status: Status.Open,
                deadline: disputeEndsAt,
                bond: bond,
                evidence: evidence
            })
        );
        emit Accused(id, role, accused, msg.sender, fractionBps, evidence, bond, disputeEndsAt);
        _takeBond(bond);
        staking.openCase(role, accused);
        if (staking.slashableStake(role, accused) == 0) revert NothingAtStake(role, accused);
    }

    /// @notice Puts the accused's answer on record, during the dispute window.
    function answer(uint256 id, bytes32 rebuttal) external {
        Case storage current = _in(id, Status.Open);
        if (msg.sender != current.accused) revert NotAccused(id, msg.sender);
        if (block.timestamp > current.deadline) revert WindowClosed(id, current.deadline);
        emit Answered(id, rebuttal);
    }

    /// @notice Holds the accusation to be right, when the dispute window has passed. The window of appeal begins.
    function uphold(uint256 id) external onlyRole(VERIFIER_ROLE) {
        Case storage current = _in(id, Status.Open);
        if (block.timestamp <= current.deadline) revert WindowOpen(id, current.deadline);
        uint64 lapsesAt = _lapsesAt(current);
        if (block.timestamp > lapsesAt) revert WindowClosed(id, lapsesAt);
        current.status = Status.Upheld;
        current.deadline = _after(Parameter.AppealWindowSeconds);
        emit Upheld(id, current.deadline);
    }

    /// @notice Holds the accusation to be wrong: the accused gets the bond.
    function dismiss(uint256 id) external onlyRole(VERIFIER_ROLE) {
        Case storage current = _in(id, Status.Open);
        _close(id, current, Status.Dismissed, 0);
        _payBond(current.accused, current.bond);
    }

    /// @notice Ends a case that verification has not judged in time. The accuser gets the bond back. Anybody may call it.
    function expire(uint256 id) external {
        Case storage current = _in(id, Status.Open);
        uint64 lapsesAt = _lapsesAt(current);
        if (block.timestamp <= lapsesAt) revert WindowOpen(id, lapsesAt);
        _close(id, current, Status.Expired, 0);
        _payBond(current.accuser, current.bond);
    }

    /// @notice Asks governance to decide, with a bond as high as the accuser's.
    function appeal(uint256 id) external {
        Case storage current = _in(id, Status.Upheld);
        if (msg.sender != current.accused) revert NotAccused(id, msg.sender);
        if (block.timestamp > current.deadline) revert WindowClosed(id, current.deadline);
        current.status = Status.Appealed;
        current.deadline = _after(Parameter.AppealTimeoutSeconds);
        emit Appealed(id, current.bond, current.deadline);
        _takeBond(current.bond);
    }

    /// @notice Governance's decision on an appeal.
    /// @param right Whether the accusation stands.
    function decide(uint256 id, bool right) external onlyRole(DEFAULT_ADMIN_ROLE) {
        Case storage current = _in(id, Status.Appealed);
        if (right) return _punish(id, current, true);
        _close(id, current, Status.Overturned, 0);
        // Both had a point: the accuser convinced verification, the accused convinced the holders.
        _payBond(current.accused, current.bond);
        _payBond(current.accuser, current.bond);
    }

    /// @notice Slashes when nobody appealed in time, or governance has not decided in time. Anybody may call it.
    function execute(uint256 id) external {
        Case storage current = _known(id);
        bool appealed = current.status == Status.Appealed;
        if (current.status != Status.Upheld && !appealed) revert WrongStatus(id, current.status);
        if (block.timestamp <= current.deadline) revert WindowOpen(id, current.deadline);
        _punish(id, current, appealed);
    }

    /// @notice How many cases there have been; their ids count from zero.
    function count() external view returns (uint256) {
        return _cases.length;
    }

    /// @notice One case.
    function caseOf(uint256 id) external view returns (Case memory) {
        return _known(id);
    }

    /// @notice Bonds of cases that are not closed: what this contract must hold.
    function bonds() external view returns (uint256) {
        return _bonds;
    }

    function _punish(uint256 id, Case storage current, bool appealed) private {
        uint256 slashed = staking.slash(current.role, current.accused, _fractionNow(current), current.accuser);
        _close(id, current, Status.Slashed, slashed);
        _payBond(current.accuser, current.bond);
        if (appealed) _payBond(treasury, current.bond);
    }

    /// @dev The bound may have been lowered since the accusation: then the lower one holds.
    function _fractionNow(Case storage current) private view returns (uint256) {
        uint256 most = parameters.get(Parameter.MaxSlashBps);
        return current.fractionBps < most ? current.fractionBps : most;
    }

    function _close(uint256 id, Case storage current, Status status, uint256 slashed) private {
        current.status = status;
        emit Closed(id, status, slashed);
        staking.closeCase(current.role, current.accused);
    }

    function _takeBond(uint256 bond) private {
        _bonds += bond;
        token.safeTransferFrom(msg.sender, address(this), bond);
    }

    function _payBond(address to, uint256 bond) private {
        _bonds -= bond;
        token.safeTransfer(to, bond);
    }

    /// @dev Verification has as long to judge as governance would have.
    function _lapsesAt(Case storage current) private view returns (uint64) {
        return current.deadline + uint64(parameters.get(Parameter.AppealTimeoutSeconds));
    }

    function _after(Parameter window) private view returns (uint64) {
        return uint64(block.timestamp + parameters.get(window));
    }

    function _in(uint256 id, Status status) private view returns (Case storage current) {
        current = _known(id);
        if (current.status != status) revert WrongStatus(id, current.status);
    }

    function _known(uint256 id) private view returns (Case storage) {
        if (id >= _cases.length) revert UnknownCase(id, _cases.length);
        return _cases[id];
    }
}
