// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Parameter, ProtocolParameters} from "./ProtocolParameters.sol";

/// @notice What a provider stakes for.
enum Role {
    NodeOperator,
    Validator
}

/// @notice Stake that leaves together: all that began to unbond from one provider on one day.
/// @param maturesAt From then on it can be withdrawn, unless a case against the provider is open.
/// @param shares What of it is not yet withdrawn.
/// @param factor Tokens for 10^27 shares, fixed when it was released; zero while it can still be slashed.
struct Bucket {
    uint64 maturesAt;
    uint256 shares;
    uint256 factor;
}

/// @notice One account in one role, with all that is staked on it.
/// @param subject What the provider is called off the chain: the hash of an operator's or validator's id.
/// @param activeShares Shares that count as stake.
/// @param unbondingShares Shares on their way out that can still be slashed.
/// @param factor Tokens for 10^27 shares: begins at 10^27 and only falls, by slashing.
/// @param openCases Accusations that are not settled: nothing is released before.
/// @param nextBucket The first bucket that has not been released.
struct Provider {
    bytes32 subject;
    uint256 activeShares;
    uint256 unbondingShares;
    uint256 factor;
    uint32 openCases;
    uint32 nextBucket;
}

/// @title Stakes of node operators and validators
/// @notice Anybody may delegate to a provider and shares its fate. Stake leaves after the unbonding delay; until it is
/// released it can be slashed like stake that stays, and never after. All rounding is in favour of the contract.
contract Staking is AccessControlUpgradeable, UUPSUpgradeable {
    using SafeERC20 for IERC20;
    using Math for uint256;

    /// @notice May open and close cases and slash: the contract that hears accusations.
    bytes32 public constant SLASHER_ROLE = keccak256("SLASHER_ROLE");
    /// @notice Shares and tokens are equal at this factor.
    uint256 public constant WHOLE = 1e27;
    /// @notice Below a billionth a provider takes no more stake: its shares would lose their precision.
    uint256 public constant MIN_FACTOR = WHOLE / 1e9;
    /// @notice Cases that may be open against one provider at a time.
    uint32 public constant MAX_OPEN_CASES = 8;
    uint256 private constant WHOLE_BPS = 10_000;

    IERC20 private _token;
    ProtocolParameters private _parameters;
    address private _treasury;
    uint256 private _totalStaked;
    mapping(Role role => mapping(address account => Provider)) private _providers;
    mapping(Role role => mapping(address account => Bucket[])) private _buckets;
    mapping(Role role => mapping(address account => mapping(address holder => uint256))) private _shares;
    mapping(
        Role role => mapping(address account => mapping(uint256 bucket => mapping(address holder => uint256)))
    ) private _leaving;

    /// @notice An account takes a role.
    event Registered(Role indexed role, address indexed provider, bytes32 subject);
    /// @notice `holder` staked `amount` on a provider; its own stake when it is the provider.
    event Staked(Role indexed role, address indexed provider, address indexed holder, uint256 amount, uint256 shares);
    /// @notice `shares` of `holder` began to leave in `bucket`.
    event Unbonding(
        Role indexed role,
        address indexed provider,
        address indexed holder,
        uint256 bucket,
        uint256 shares,
        uint64 maturesAt
    );
    /// @notice A bucket cannot be slashed any more; its shares are worth `factor` for ever.
    event BucketReleased(Role indexed role, address indexed provider, uint256 bucket, uint256 factor);
    /// @notice `holder` took `amount` out of a released bucket.
    event Withdrawn(Role indexed role, address indexed provider, address indexed holder, uint256 bucket, uint256 amount);
    /// @notice A provider lost a part of all that is staked on it.
    event Slashed(
        Role indexed role,
        address indexed provider,
        address indexed reporter,
        uint256 fractionBps,
        uint256 factor,
        uint256 toReporter,
        uint256 burned,
        uint256 toTreasury
    );
    /// @notice The number of open cases against a provider changed.
    event CasesChanged(Role indexed role, address indexed provider, uint32 openCases);

    /// @notice The account has this role already.
    error AlreadyRegistered(Role role, address provider);
    /// @notice The account has not taken this role.
    error NotRegistered(Role role, address provider);
    /// @notice The provider's own stake must be at least `minimum`.
    error StakeTooLow(uint256 stake, uint256 minimum);
    /// @notice More would be delegated than the provider's own stake allows.
    error DelegationTooHigh(uint256 total, uint256 most);
    /// @notice The amount must not be zero.
    error NoAmount();
    /// @notice A provider needs the hash of the id by which it is known off the chain.
    error NoSubject();
    /// @notice The holder has less than that on the provider.
    error InsufficientStake(uint256 asked, uint256 held);
    /// @notice The provider has been slashed to nearly nothing and takes no more stake.
    error ProviderExhausted(Role role, address provider, uint256 factor);
    /// @notice There is no such bucket, it cannot be withdrawn yet, or the holder has nothing in it.
    error NothingToWithdraw(Role role, address provider, uint256 bucket, address holder);
    /// @notice So many cases are open against the provider that another must wait.
    error TooManyCases(Role role, address provider, uint32 openCases);
    /// @notice No case is open against the provider.
    error NoOpenCase(Role role, address provider);
    /// @notice A slash must take something, and at most the bound.
    error FractionOutOfBounds(uint256 fractionBps, uint256 most);

    constructor() {
        _disableInitializers();
    }

    /// @param token_ ASTRO.
    /// @param parameters_ Where minimum stakes, delays and shares are set.
    /// @param treasury_ Where the rest of a slash goes.
    /// @param admin Who may upgrade and grant roles: the timelock.
    /// @param slasher The contract that hears accusations.
    function initialize(
        IERC20 token_,
        ProtocolParameters parameters_,
        address treasury_,
        address admin,
        address slasher
    ) external initializer {
        __AccessControl_init();
        (_token, _parameters, _treasury) = (token_, parameters_, treasury_);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(SLASHER_ROLE, slasher);
    }

    /// @notice Takes a role with a first stake of one's own.
    /// @param subject The hash of the id by which the provider is known off the chain.
    function register(Role role, bytes32 subject, uint256 amount) external {
        Provider storage provider = _providers[role][msg.sender];
        if (provider.subject != 0) revert AlreadyRegistered(role, msg.sender);
        if (subject == 0) revert NoSubject();
        if (amount < minimumOf(role)) revert StakeTooLow(amount, minimumOf(role));
        provider.subject = subject;
        provider.factor = WHOLE;
        emit Registered(role, msg.sender, subject);
        _stake(provider, role, msg.sender, amount);
    }

    /// @notice Stakes more on oneself, or delegates to another provider.
    function stake(Role role, address account, uint256 amount) external {
        Provider storage provider = _registered(role, account);
        if (amount == 0) revert NoAmount();
        if (provider.factor < MIN_FACTOR) revert ProviderExhausted(role, account, provider.factor);
        _stake(provider, role, account, amount);
        if (msg.sender == account) return;
        uint256 own = _worth(_shares[role][account][account], provider.factor);
        if (own < minimumOf(role)) revert StakeTooLow(own, minimumOf(role));
        uint256 most = own * (1 + _parameters.get(Parameter.MaxDelegationMultiple));
        uint256 total = _worth(provider.activeShares, provider.factor);
        if (total > most) revert DelegationTooHigh(total, most);
    }

    /// @notice Lets `amount` begin to leave; all of it with the largest number there is. It can be withdrawn after the
    /// unbonding delay, rounded up to whole days, and is slashable until then.
    /// @return bucket What to withdraw it by.
    function unbond(Role role, address account, uint256 amount) external returns (uint256 bucket) {
        Provider storage provider = _registered(role, account);
        if (amount == 0) revert NoAmount();
        _release(provider, role, account);
        uint256 held = _shares[role][account][msg.sender];
        uint256 shares = held;
        if (amount != type(uint256).max) {
            uint256 worth = _worth(held, provider.factor);
            if (amount > worth) revert InsufficientStake(amount, worth);
            shares = Math.min(held, amount.mulDiv(WHOLE, provider.factor, Math.Rounding.Ceil));
        }
        if (shares == 0) revert InsufficientStake(amount, 0);

        _shares[role][account][msg.sender] = held - shares;
        provider.activeShares -= shares;
        provider.unbondingShares += shares;
        bucket = _bucketOfToday(role, account);
        _buckets[role][account][bucket].shares += shares;
        _leaving[role][account][bucket][msg.sender] += shares;
        emit Unbonding(role, account, msg.sender, bucket, shares, _buckets[role][account][bucket].maturesAt);
    }

    /// @notice Takes one's tokens out of a bucket that has been released.
    /// @return amount Base units.
    function withdraw(Role role, address account, uint256 bucket) external returns (uint256 amount) {
        Provider storage provider = _registered(role, account);
        _release(provider, role, account);
        uint256 shares = _leaving[role][account][bucket][msg.sender];
        if (shares == 0 || bucket >= provider.nextBucket) {
            revert NothingToWithdraw(role, account, bucket, msg.sender);
        }
        delete _leaving[role][account][bucket][msg.sender];
        Bucket storage from = _buckets[role][account][bucket];
        from.shares -= shares;
        amount = _worth(shares, from.factor);
        _totalStaked -= amount;
        emit Withdrawn(role, account, msg.sender, bucket, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @notice Holds back all that a provider has not released yet, until the case is closed.
    function openCase(Role role, address account) external onlyRole(SLASHER_ROLE) {
        Provider storage provider = _registered(role, account);
        if (provider.openCases >= MAX_OPEN_CASES) revert TooManyCases(role, account, provider.openCases);
        _release(provider, role, account);
        provider.openCases += 1;
        emit CasesChanged(role, account, provider.openCases);
    }

    /// @notice Ends what `openCase` began.
    function closeCase(Role role, address account) external onlyRole(SLASHER_ROLE) {
        Provider storage provider = _providers[role][account];
        if (provider.openCases == 0) revert NoOpenCase(role, account);
        provider.openCases -= 1;
        emit CasesChanged(role, account, provider.openCases);
    }

    /// @notice Takes a fraction of all that is staked on a provider and not released. Needs an open case, so that what
    /// was unbonding when the accusation came is still there.
    /// @param reporter Receives the reporter's share; of the rest a part is burned, and the treasury gets what is left.
    /// @return amount Base units that were taken.
    function slash(Role role, address account, uint256 fractionBps, address reporter)
        external
        onlyRole(SLASHER_ROLE)
        returns (uint256 amount)
    {
        Provider storage provider = _providers[role][account];
        if (provider.openCases == 0) revert NoOpenCase(role, account);
        uint256 most = _parameters.get(Parameter.MaxSlashBps);
        if (fractionBps == 0 || fractionBps > most) revert FractionOutOfBounds(fractionBps, most);
        uint256 shares = provider.activeShares + provider.unbondingShares;
        uint256 factor = provider.factor.mulDiv(WHOLE_BPS - fractionBps, WHOLE_BPS);
        amount = _worth(shares, provider.factor).saturatingSub(shares.mulDiv(factor, WHOLE, Math.Rounding.Ceil));
        provider.factor = factor;
        _totalStaked -= amount;

        uint256 toReporter = amount.mulDiv(_parameters.get(Parameter.SlashReporterShareBps), WHOLE_BPS);
        uint256 burned =
            (amount - toReporter).mulDiv(_parameters.get(Parameter.SlashBurnShareBps), WHOLE_BPS);
        uint256 toTreasury = amount - toReporter - burned;
        emit Slashed(role, account, reporter, fractionBps, factor, toReporter, burned, toTreasury);
        ERC20Burnable(address(_token)).burn(burned);
        _token.safeTransfer(reporter, toReporter);
        _token.safeTransfer(_treasury, toTreasury);
    }

    /// @notice All tokens that are staked, unbonding, or released and not withdrawn: what this contract must hold.
    function totalStaked() external view returns (uint256) {
        return _totalStaked;
    }

    /// @notice The state of a provider.
    function providerOf(Role role, address account) external view returns (Provider memory) {
        return _providers[role][account];
    }

    /// @notice What is staked on a provider and counts, its own stake and all delegations, in base units.
    function activeStake(Role role, address account) external view returns (uint256) {
        Provider storage current = _providers[role][account];
        return _worth(current.activeShares, current.factor);
    }

    /// @notice What a slash would be taken of now: active stake and what has not been released, in base units.
    function slashableStake(Role role, address account) external view returns (uint256) {
        Provider storage current = _providers[role][account];
        return _worth(current.activeShares + current.unbondingShares, current.factor);
    }

    /// @notice What `holder` has staked on a provider, in base units.
    function stakeOf(Role role, address account, address holder) external view returns (uint256) {
        return _worth(_shares[role][account][holder], _providers[role][account].factor);
    }

    /// @notice Whether a provider has the minimum stake of its own, so that it may work in its role.
    function isActive(Role role, address account) external view returns (bool) {
        uint256 own = _worth(_shares[role][account][account], _providers[role][account].factor);
        return own >= minimumOf(role);
    }

    /// @notice What leaves a provider together, by the number that `unbond` gave.
    function bucketOf(Role role, address account, uint256 bucket) external view returns (Bucket memory) {
        return _buckets[role][account][bucket];
    }

    /// @notice How many buckets a provider has ever had.
    function bucketCount(Role role, address account) external view returns (uint256) {
        return _buckets[role][account].length;
    }

    /// @notice Shares of `holder` in a bucket.
    function leavingOf(Role role, address account, uint256 bucket, address holder) external view returns (uint256) {
        return _leaving[role][account][bucket][holder];
    }

    /// @notice The least that a provider must stake of its own, in base units.
    function minimumOf(Role role) public view returns (uint256) {
        return _parameters.get(
            role == Role.NodeOperator ? Parameter.MinOperatorStake : Parameter.MinValidatorStake
        );
    }

    function _stake(Provider storage to, Role role, address account, uint256 amount) private {
        uint256 shares = amount.mulDiv(WHOLE, to.factor);
        to.activeShares += shares;
        _shares[role][account][msg.sender] += shares;
        _totalStaked += amount;
        emit Staked(role, account, msg.sender, amount, shares);
        _token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @dev Fixes the worth of what has matured. While a case is open nothing is released, so that what was slashable
    /// when the accusation came stays so. The loop is short: buckets are days, and each call that adds one comes here.
    function _release(Provider storage from, Role role, address account) private {
        if (from.openCases > 0) return;
        Bucket[] storage buckets = _buckets[role][account];
        uint32 next = from.nextBucket;
        while (next < buckets.length && buckets[next].maturesAt <= block.timestamp) {
            buckets[next].factor = from.factor;
            from.unbondingShares -= buckets[next].shares;
            emit BucketReleased(role, account, next, from.factor);
            ++next;
        }
        from.nextBucket = next;
    }

    /// @dev Maturities never run backwards, even where the delay was shortened: then the last bucket takes more. It is
    /// not released yet, since it matures in the future.
    function _bucketOfToday(Role role, address account) private returns (uint256) {
        Bucket[] storage buckets = _buckets[role][account];
        uint256 matures = block.timestamp + _parameters.get(Parameter.UnbondingSeconds);
        uint64 maturesAt = uint64(matures.ceilDiv(1 days) * 1 days);
        if (buckets.length > 0) {
            if (maturesAt <= buckets[buckets.length - 1].maturesAt) return buckets.length - 1;
        }
        buckets.push(Bucket({maturesAt: maturesAt, shares: 0, factor: 0}));
        return buckets.length - 1;
    }

    function _registered(Role role, address account) private view returns (Provider storage found) {
        found = _providers[role][account];
        if (found.subject == 0) revert NotRegistered(role, account);
    }

    function _worth(uint256 shares, uint256 factor) private pure returns (uint256) {
        return shares.mulDiv(factor, WHOLE);
    }

    function _authorizeUpgrade(address) internal override onlyRole(DEFAULT_ADMIN_ROLE) {}
}
