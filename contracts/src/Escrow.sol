// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ExpiringPause} from "./ExpiringPause.sol";
import {Payout, Payouts} from "./Payouts.sol";
import {Parameter, ProtocolParameters} from "./ProtocolParameters.sol";
import {Rewards} from "./Rewards.sol";

/// @notice What one tenant owes for a batch.
struct Debit {
    address tenant;
    uint256 amount;
}

/// @notice A tenant's announcement that it leaves with `amount`, which it can take from `availableAt` on.
struct Withdrawal {
    uint256 amount;
    uint64 availableAt;
}

/// @notice Where the fee on a batch goes; the three add up to it.
struct FeeParts {
    uint256 burned;
    uint256 toValidators;
    uint256 toTreasury;
}

/// @title Funds of tenants, until the work that they pay for is settled
/// @notice The platform settles verified work in batches: tenants are debited, the fee is split between burning, the
/// rewards of validators and the treasury, and providers claim what is left by Merkle proof. A tenant can always leave
/// without the platform: it announces a withdrawal and takes it after the delay, less what was settled until then.
contract Escrow is ExpiringPause, UUPSUpgradeable {
    using SafeERC20 for IERC20;
    using Payouts for Payouts.List;

    /// @notice May settle batches and give deposits back: the platform's billing.
    bytes32 public constant SETTLER_ROLE = keccak256("SETTLER_ROLE");
    /// @notice Tenants that one batch can debit.
    uint256 public constant MAX_DEBITS = 500;
    /// @notice How long after its work was charged a batch can be settled.
    uint256 public constant MAX_CHARGE_AGE = 90 days;
    uint256 private constant WHOLE_BPS = 10_000;

    IERC20 private _token;
    address private _treasury;
    uint256 private _deposits;
    uint256 private _unclaimed;
    mapping(address tenant => uint256) private _balances;
    mapping(address tenant => Withdrawal) private _withdrawals;
    mapping(bytes32 batch => Payouts.List) private _batches;
    /// @dev Last, because contracts from before it are upgraded to this.
    Rewards private _rewards;

    /// @notice `from` paid `amount` in for `tenant`.
    event Deposited(address indexed tenant, address indexed from, uint256 amount);
    /// @notice One tenant's part of a batch.
    event Debited(bytes32 indexed batch, address indexed tenant, uint256 amount);
    /// @notice A batch was settled: `gross` is `net` for providers, `burned`, `toTreasury`, and what validators have of
    /// the fee, which is the rest.
    event Settled(
        bytes32 indexed batch, bytes32 root, uint256 gross, uint256 net, uint256 burned, uint256 toTreasury
    );
    /// @notice A provider took its part of a batch.
    event Claimed(bytes32 indexed batch, uint256 indexed index, address indexed account, uint256 amount);
    /// @notice The platform gave a tenant a part of its deposit back; `reason` says why.
    event Refunded(address indexed tenant, uint256 amount, bytes32 indexed reason);
    /// @notice A tenant announced that it leaves; an amount of zero takes the announcement back.
    event WithdrawalAnnounced(address indexed tenant, uint256 amount, uint64 availableAt);
    /// @notice A tenant left with `amount`.
    event Withdrawn(address indexed tenant, uint256 amount);

    /// @notice The amount must not be zero.
    error NoAmount();
    /// @notice Deposits for nobody are refused.
    error NoTenant();
    /// @notice The tenant has less than that.
    error InsufficientBalance(address tenant, uint256 amount, uint256 balance);
    /// @notice This batch has been settled before.
    error AlreadySettled(bytes32 batch);
    /// @notice A batch needs at least one debit, and at most the limit.
    error WrongNumberOfDebits(uint256 debits, uint256 limit);
    /// @notice A batch needs a root.
    error NoRoot(bytes32 batch);
    /// @notice The platform and this contract disagree on what is left for providers after the fee.
    error NetMismatch(bytes32 batch, uint256 stated, uint256 computed);
    /// @notice The batch was charged longer ago than is allowed.
    error ChargedTooLongAgo(bytes32 batch, uint256 chargedAt, uint256 earliest);
    /// @notice Nothing was announced, or it is too early.
    error NothingToWithdraw(address tenant, uint64 availableAt);

    constructor() {
        _disableInitializers();
    }

    /// @param token_ ASTRO.
    /// @param parameters_ Where fee, shares and delays are set.
    /// @param treasury_ Receives what of the fee nobody else has.
    /// @param admin Who may upgrade, resume and grant roles: the timelock.
    /// @param settler Who may settle: the platform's billing.
    /// @param guardian Who may pause.
    /// @param rewards_ Pays validators, and receives their part of the fee.
    function initialize(
        IERC20 token_,
        ProtocolParameters parameters_,
        address treasury_,
        address admin,
        address settler,
        address guardian,
        Rewards rewards_
    ) external initializer {
        __AccessControl_init();
        (_token, _parameters, _treasury, _rewards) = (token_, parameters_, treasury_, rewards_);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(SETTLER_ROLE, settler);
        _grantRole(GUARDIAN_ROLE, guardian);
    }

    /// @notice Tells a contract from before validators had a part of the fee where to pay it; with its upgrade, and once.
    function payValidatorsThrough(Rewards rewards_) external reinitializer(2) onlyRole(DEFAULT_ADMIN_ROLE) {
        _rewards = rewards_;
    }

    /// @notice Pays in for a tenant, oneself or another.
    function deposit(address tenant, uint256 amount) public whenNotPaused {
        if (tenant == address(0)) revert NoTenant();
        if (amount == 0) revert NoAmount();
        _balances[tenant] += amount;
        _deposits += amount;
        emit Deposited(tenant, msg.sender, amount);
        _token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Pays in with a signed permission instead of a transaction of its own. A permission that somebody else
    /// has used already does no harm: what counts is the allowance.
    function depositWithPermit(address tenant, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        try IERC20Permit(address(_token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        deposit(tenant, amount);
    }

    /// @notice Settles a batch of verified work, once. The fee is the one that was in force when the work was charged: a
    /// change of it is never retroactive, so a batch holds only what was charged under one fee.
    /// @param batch The id of the batch.
    /// @param root Root of the Merkle tree of payouts.
    /// @param net What the payouts add up to: the debits less the fee. Both sides compute it and must agree.
    /// @param chargedAt A second, over by now and at most `MAX_CHARGE_AGE` ago, of the time in which the fee was in force
    /// that the work was charged with.
    /// @param debits What each tenant owes.
    function settle(bytes32 batch, bytes32 root, uint256 net, uint256 chargedAt, Debit[] calldata debits)
        external
        onlyRole(SETTLER_ROLE)
        whenNotPaused
    {
        Payouts.List storage list = _batches[batch];
        if (list.root != 0) revert AlreadySettled(batch);
        if (root == 0) revert NoRoot(batch);
        if (debits.length == 0 || debits.length > MAX_DEBITS) revert WrongNumberOfDebits(debits.length, MAX_DEBITS);

        uint256 gross = _debit(batch, debits);
        FeeParts memory fee = _feeOn(batch, gross, chargedAt);
        uint256 computed = gross - fee.burned - fee.toValidators - fee.toTreasury;
        if (net != computed) revert NetMismatch(batch, net, computed);

        (list.root, list.total) = (root, net);
        _deposits -= gross;
        _unclaimed += net;
        emit Settled(batch, root, gross, net, fee.burned, fee.toTreasury);
        _pay(fee);
    }

    /// @notice Pays one entry of a settled batch to its account. Anybody may call it.
    function claim(Payout calldata payout, bytes32[] calldata proof) external whenNotPaused {
        _batches[payout.list].take(payout, proof);
        _unclaimed -= payout.amount;
        emit Claimed(payout.list, payout.index, payout.account, payout.amount);
        _token.safeTransfer(payout.account, payout.amount);
    }

    /// @notice Gives a tenant a part of its deposit back at once.
    function refund(address tenant, uint256 amount, bytes32 reason) external onlyRole(SETTLER_ROLE) whenNotPaused {
        if (amount == 0) revert NoAmount();
        _take(tenant, amount);
        emit Refunded(tenant, amount, reason);
        _token.safeTransfer(tenant, amount);
    }

    /// @notice Announces that the caller leaves with `amount`; replaces what it announced before.
    function announceWithdrawal(uint256 amount) external {
        uint256 balance = _balances[msg.sender];
        if (amount > balance) revert InsufficientBalance(msg.sender, amount, balance);
        uint64 availableAt = uint64(block.timestamp + _parameters.get(Parameter.WithdrawalDelaySeconds));
        _withdrawals[msg.sender] = Withdrawal({amount: amount, availableAt: availableAt});
        emit WithdrawalAnnounced(msg.sender, amount, availableAt);
    }

    /// @notice Takes what was announced, or what is left of it after settlements, when the delay has passed.
    /// @return amount Base units.
    function withdraw() external whenNotPaused returns (uint256 amount) {
        Withdrawal memory announced = _withdrawals[msg.sender];
        uint256 balance = _balances[msg.sender];
        amount = announced.amount < balance ? announced.amount : balance;
        if (amount == 0 || block.timestamp < announced.availableAt) {
            revert NothingToWithdraw(msg.sender, announced.availableAt);
        }
        delete _withdrawals[msg.sender];
        _take(msg.sender, amount);
        emit Withdrawn(msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @notice What a tenant has in escrow, in base units.
    function balanceOf(address tenant) external view returns (uint256) {
        return _balances[tenant];
    }

    /// @notice What a tenant announced to take out.
    function withdrawalOf(address tenant) external view returns (Withdrawal memory) {
        return _withdrawals[tenant];
    }

    /// @notice A settled batch: its root, what it pays in all, and what has been claimed.
    function batchOf(bytes32 batch) external view returns (bytes32 root, uint256 total, uint256 paid) {
        Payouts.List storage list = _batches[batch];
        return (list.root, list.total, list.paid);
    }

    /// @notice All deposits of tenants and all payouts that wait to be claimed: what this contract must hold.
    function liabilities() external view returns (uint256 deposits, uint256 unclaimed) {
        return (_deposits, _unclaimed);
    }

    function _debit(bytes32 batch, Debit[] calldata debits) private returns (uint256 gross) {
        for (uint256 index = 0; index < debits.length; ++index) {
            (address tenant, uint256 amount) = (debits[index].tenant, debits[index].amount);
            uint256 balance = _balances[tenant];
            if (amount == 0) revert NoAmount();
            if (amount > balance) revert InsufficientBalance(tenant, amount, balance);
            _balances[tenant] = balance - amount;
            gross += amount;
            emit Debited(batch, tenant, amount);
        }
    }

    /// @dev By the parameters as they were at `chargedAt`; the fee, what is burned and what validators have are rounded
    /// down, and the treasury has the rest of the fee.
    function _feeOn(bytes32 batch, uint256 gross, uint256 chargedAt)
        private
        view
        returns (FeeParts memory parts)
    {
        uint256 earliest = block.timestamp - MAX_CHARGE_AGE;
        if (chargedAt < earliest) revert ChargedTooLongAgo(batch, chargedAt, earliest);
        uint256 fee = (gross * _parameters.getAt(Parameter.FeeBps, chargedAt)) / WHOLE_BPS;
        parts.burned = (fee * _parameters.getAt(Parameter.FeeBurnShareBps, chargedAt)) / WHOLE_BPS;
        parts.toValidators = (fee * _parameters.getAt(Parameter.FeeValidatorShareBps, chargedAt)) / WHOLE_BPS;
        parts.toTreasury = fee - parts.burned - parts.toValidators;
    }

    function _pay(FeeParts memory fee) private {
        ERC20Burnable(address(_token)).burn(fee.burned);
        _token.safeTransfer(_treasury, fee.toTreasury);
        if (fee.toValidators == 0) return;
        _token.forceApprove(address(_rewards), fee.toValidators);
        _rewards.fund(fee.toValidators);
    }

    function _take(address tenant, uint256 amount) private {
        uint256 balance = _balances[tenant];
        if (amount > balance) revert InsufficientBalance(tenant, amount, balance);
        _balances[tenant] = balance - amount;
        _deposits -= amount;
    }

    function _authorizeUpgrade(address) internal override onlyRole(DEFAULT_ADMIN_ROLE) {}
}
