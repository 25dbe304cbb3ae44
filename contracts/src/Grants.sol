// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @notice Where a milestone stands.
enum MilestoneStatus {
    Pending,
    Delivered,
    Approved,
    Paid
}

/// @notice One step of a grant.
/// @param amount Base units that it pays.
/// @param status Where it stands.
/// @param evidence The hash of what the grantee delivered.
struct Milestone {
    uint256 amount;
    MilestoneStatus status;
    bytes32 evidence;
}

/// @title Developer grants by milestones
/// @notice A vote funds a grant from the treasury; the grantee delivers, a reviewer approves, the grantee is paid. What
/// is not approved can be clawed back by another vote.
contract Grants is AccessControl {
    using SafeERC20 for IERC20;

    /// @notice May approve milestones.
    bytes32 public constant REVIEWER_ROLE = keccak256("REVIEWER_ROLE");
    /// @notice Milestones of one grant.
    uint256 public constant MAX_MILESTONES = 50;

    /// @notice The token that grants are paid in.
    IERC20 public immutable token;
    /// @notice Where clawed back tokens go.
    address public immutable treasury;

    uint256 private _committed;
    uint256 private _count;
    mapping(uint256 id => address) private _grantees;
    mapping(uint256 id => bool) private _ended;
    mapping(uint256 id => Milestone[]) private _milestones;

    /// @notice A grant was made; `purpose` is the hash of what was agreed.
    event Granted(uint256 indexed id, address indexed grantee, uint256[] amounts, bytes32 purpose);
    /// @notice The grantee says that a milestone is reached.
    event Delivered(uint256 indexed id, uint256 indexed milestone, bytes32 evidence);
    /// @notice A reviewer agrees.
    event Approved(uint256 indexed id, uint256 indexed milestone, address indexed reviewer);
    /// @notice A reviewer does not agree; the grantee may deliver again.
    event Rejected(uint256 indexed id, uint256 indexed milestone, address indexed reviewer, bytes32 reason);
    /// @notice The grantee was paid for a milestone.
    event Paid(uint256 indexed id, uint256 indexed milestone, address indexed grantee, uint256 amount);
    /// @notice What was not approved of a grant went back to the treasury.
    event ClawedBack(uint256 indexed id, uint256 amount);

    /// @notice There is no such milestone.
    error UnknownMilestone(uint256 id, uint256 milestone);
    /// @notice The milestone is not in the state that this needs.
    error WrongStatus(uint256 id, uint256 milestone, MilestoneStatus status);
    /// @notice Only the grantee may do this.
    error NotGrantee(uint256 id, address caller);
    /// @notice The grant was ended by a clawback, or there is no such grant.
    error NotRunning(uint256 id);
    /// @notice The treasury has not sent enough for this grant.
    error Unfunded(uint256 needed, uint256 available);
    /// @notice A grant needs a grantee, and between one and fifty milestones that pay something.
    error InvalidGrant(address grantee, uint256 milestones);

    /// @param admin Who makes grants and claws back: the timelock.
    /// @param reviewer Who may approve milestones.
    constructor(IERC20 token_, address treasury_, address admin, address reviewer) {
        (token, treasury) = (token_, treasury_);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(REVIEWER_ROLE, reviewer);
    }

    /// @notice Makes a grant of tokens that the treasury has sent here before, in the same proposal.
    /// @return id The number of the grant.
    function grant(address grantee, uint256[] calldata amounts, bytes32 purpose)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
        returns (uint256 id)
    {
        if (grantee == address(0) || amounts.length == 0 || amounts.length > MAX_MILESTONES) {
            revert InvalidGrant(grantee, amounts.length);
        }
        id = _count++;
        _grantees[id] = grantee;
        uint256 total;
        for (uint256 index = 0; index < amounts.length; ++index) {
            if (amounts[index] == 0) revert InvalidGrant(grantee, amounts.length);
            _milestones[id].push(Milestone({amount: amounts[index], status: MilestoneStatus.Pending, evidence: 0}));
            total += amounts[index];
        }
        uint256 available = token.balanceOf(address(this)) - _committed;
        if (total > available) revert Unfunded(total, available);
        _committed += total;
        emit Granted(id, grantee, amounts, purpose);
    }

    /// @notice Says that a milestone is reached.
    /// @param evidence The hash of what was delivered.
    function deliver(uint256 id, uint256 milestone, bytes32 evidence) external {
        if (msg.sender != _grantees[id]) revert NotGrantee(id, msg.sender);
        Milestone storage step = _running(id, milestone, MilestoneStatus.Pending);
        (step.status, step.evidence) = (MilestoneStatus.Delivered, evidence);
        emit Delivered(id, milestone, evidence);
    }

    /// @notice Agrees that a milestone is reached. From now on it cannot be clawed back.
    function approve(uint256 id, uint256 milestone) external onlyRole(REVIEWER_ROLE) {
        _running(id, milestone, MilestoneStatus.Delivered).status = MilestoneStatus.Approved;
        emit Approved(id, milestone, msg.sender);
    }

    /// @notice Sends a delivery back; `reason` is the hash of the explanation.
    function reject(uint256 id, uint256 milestone, bytes32 reason) external onlyRole(REVIEWER_ROLE) {
        _running(id, milestone, MilestoneStatus.Delivered).status = MilestoneStatus.Pending;
        emit Rejected(id, milestone, msg.sender, reason);
    }

    /// @notice Pays an approved milestone, also after a clawback. Anybody may call it.
    function pay(uint256 id, uint256 milestone) external {
        Milestone storage step = _at(id, milestone, MilestoneStatus.Approved);
        step.status = MilestoneStatus.Paid;
        _committed -= step.amount;
        emit Paid(id, milestone, _grantees[id], step.amount);
        token.safeTransfer(_grantees[id], step.amount);
    }

    /// @notice Ends a grant: what is not approved goes back to the treasury.
    /// @return amount Base units.
    function clawBack(uint256 id) external onlyRole(DEFAULT_ADMIN_ROLE) returns (uint256 amount) {
        if (id >= _count || _ended[id]) revert NotRunning(id);
        _ended[id] = true;
        Milestone[] storage steps = _milestones[id];
        for (uint256 index = 0; index < steps.length; ++index) {
            if (steps[index].status < MilestoneStatus.Approved) amount += steps[index].amount;
        }
        _committed -= amount;
        emit ClawedBack(id, amount);
        token.safeTransfer(treasury, amount);
    }

    /// @notice A grant: who receives it, whether it was ended, and its steps.
    function grantOf(uint256 id)
        external
        view
        returns (address grantee, bool ended, Milestone[] memory milestones)
    {
        return (_grantees[id], _ended[id], _milestones[id]);
    }

    /// @notice How many grants there have been; their ids count from zero.
    function count() external view returns (uint256) {
        return _count;
    }

    /// @notice What is promised and not paid: what this contract must hold.
    function committed() external view returns (uint256) {
        return _committed;
    }

    function _running(uint256 id, uint256 milestone, MilestoneStatus status)
        private
        view
        returns (Milestone storage)
    {
        if (_ended[id]) revert NotRunning(id);
        return _at(id, milestone, status);
    }

    function _at(uint256 id, uint256 milestone, MilestoneStatus status) private view returns (Milestone storage step) {
        if (milestone >= _milestones[id].length) revert UnknownMilestone(id, milestone);
        step = _milestones[id][milestone];
        if (step.status != status) revert WrongStatus(id, milestone, step.status);
    }
}
